import * as archive from './archive.ts'
import * as backup from './backup.ts'
import type { Command } from './command.ts'
import { demo } from './demo.ts'
import { doctor } from './doctor.ts'
import { asyncApi, config, topology } from './documents.ts'
import { erase } from './erase.ts'
import { showEvents, tail } from './events.ts'
import { exportCommand } from './export.ts'
import * as fx from './fx.ts'
import { importCommand } from './import.ts'
import { journal } from './journal.ts'
import * as keys from './keys.ts'
import * as parked from './parked.ts'
import { proof } from './proof.ts'
import { replay } from './replay.ts'
import { restore } from './restore.ts'
import * as secrets from './secrets.ts'
import { showAccount, showPayment } from './show.ts'
import { simulator } from './simulator.ts'
import { spoolStatus } from './spool.ts'
import { start } from './start.ts'
import { statement } from './statement.ts'
import { listAllTimers } from './timers.ts'
import { verify } from './verify.ts'

/** All commands, in the order in which the help shows them. */
export const commands: readonly Command[] = [
  start,
  demo,
  simulator,
  doctor,
  verify,
  proof,
  journal,
  replay,
  tail,
  showEvents,
  showPayment,
  showAccount,
  statement,
  parked.list,
  parked.show,
  parked.retry,
  parked.edit,
  parked.discard,
  archive.archive,
  archive.list,
  archive.verify,
  spoolStatus,
  listAllTimers,
  keys.create,
  keys.list,
  keys.revoke,
  secrets.set,
  secrets.list,
  secrets.remove,
  fx.importRates,
  fx.listRates,
  fx.revalue,
  erase,
  backup.take,
  backup.follow,
  backup.list,
  backup.verify,
  restore,
  exportCommand,
  importCommand,
  topology,
  asyncApi,
  config,
]
