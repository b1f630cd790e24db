import type { Command } from './command.ts'
import { demo } from './demo.ts'
import { asyncApi, config, topology } from './documents.ts'
import { erase } from './erase.ts'
import { showEvents, tail } from './events.ts'
import * as keys from './keys.ts'
import * as parked from './parked.ts'
import { showAccount, showPayment } from './show.ts'
import { start } from './start.ts'
import { listAllTimers } from './timers.ts'
import { verify } from './verify.ts'

/** All commands, in the order in which the help shows them. */
export const commands: readonly Command[] = [
  start,
  demo,
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
  erase,
  topology,
  asyncApi,
  config,
]
