import type { Command } from './command.ts'
import { demo } from './demo.ts'
import { asyncApi, config, topology } from './documents.ts'
import { erase } from './erase.ts'
import { showEvents, tail } from './events.ts'
import * as keys from './keys.ts'
import * as parked from './parked.ts'
import * as secrets from './secrets.ts'
import { showAccount, showPayment } from './show.ts'
import { simulator } from './simulator.ts'
import { start } from './start.ts'
import { listAllTimers } from './timers.ts'
import { verify } from './verify.ts'

/** All commands, in the order in which the help shows them. */
export const commands: readonly Command[] = [
  start,
  demo,
  simulator,
  verify,
  tail,
  showEvents,
  showPayment,
  showAccount,
  parked.list,
  parked.show,
  parked.retry,
  listAllTimers,
  keys.create,
  keys.list,
  keys.revoke,
  secrets.set,
  secrets.list,
  secrets.remove,
  erase,
  topology,
  asyncApi,
  config,
]
