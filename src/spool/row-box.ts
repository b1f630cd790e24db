import { UsageError } from '#kernel/errors'
import type { MasterKey } from '#kernel/master-key'
import type { Random } from '#kernel/random'
import { decrypt, encrypt } from '#kernel/seal-cipher'
import type { LogDoor } from '#log'
import type { Row } from './files.ts'

type Prepared = ReturnType<LogDoor['prepare']>

/** What was accepted, and when: Unix milliseconds. */
export type Spooled = { readonly at: number; readonly prepared: Prepared }

/** Which file, and where in it: a box that is moved does not open there. */
type Place = { readonly file: string; readonly sequence: number }

export type RowBoxes = {
  seal(spooled: Spooled, place: Place): Row
  /**
   * Undefined where the row was changed, moved, or sealed under another master key.
   * @throws UsageError for one that a newer version wrote.
   */
  open(row: Row, file: string): Spooled | undefined
}

/** Whole rows are sealed: events, keys of events and rows of data keys alike, under a key of the master key's. */
export function createRowBoxes(masterKey: MasterKey, random: Random): RowBoxes {
  const key = masterKey.derive('spool')
  const contextOf = ({ file, sequence }: Place): string => `spool/${file}/${sequence}`
  return {
    seal: (spooled, place) => ({
      sequence: place.sequence,
      box: encrypt(key, random, textOf(spooled), contextOf(place)),
    }),
    open({ sequence, box }, file) {
      const opened = attempt(() => decrypt(key, asBuffer(box), contextOf({ file, sequence })))
      return opened && fromText(opened.toString('utf8'), file)
    },
  }
}

/** Grows when what is written changes; a file outlives the version that wrote it. */
const FORMAT = 1

type Written = {
  readonly format: number
  readonly at: number
  readonly events: readonly (Omit<Prepared['events'][number], 'attachment'> & { readonly attachment: string | null })[]
  readonly keys: readonly Prepared['keys'][number]['row'][]
}

function textOf({ at, prepared }: Spooled): string {
  const written: Written = {
    format: FORMAT,
    at,
    events: prepared.events.map((event) => ({ ...event, attachment: event.attachment?.toString('base64') ?? null })),
    keys: [...new Set(prepared.keys.map(({ row }) => row))],
  }
  return JSON.stringify(written)
}

/** Sealed by us, so it is what it was; only its version may be a later one. */
function fromText(text: string, file: string): Spooled {
  const written: Written = JSON.parse(text)
  if (written.format > FORMAT) {
    throw new UsageError(`The spool file ${file} was written by a newer Millrace: start that one, and it is drained.`)
  }
  const events = written.events.map((event) => ({
    ...event,
    attachment: event.attachment === null ? null : Buffer.from(event.attachment, 'base64'),
  }))
  return { at: written.at, prepared: { events, keys: written.keys.map((row) => ({ row })) } }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
