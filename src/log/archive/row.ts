import { invariant } from '#kernel/invariant'

/** A record of the log as the archive keeps it: all that is needed to put it back as it was. */
export type ArchivedRow = {
  readonly offset: bigint
  readonly position: bigint
  /** ISO 8601 in UTC with microseconds: a Date would round it. */
  readonly time: string
  readonly key: string
  readonly type: string
  /** The record as it was written, byte for byte. */
  readonly event: string
  readonly attachment: Buffer | null
}

const EVENT = ',"event":'

/** One line of JSON. The event goes in as it stands, last, so that reading it back does not parse and write it anew. */
export function lineOf({ offset, position, time, key, type, event, attachment }: ArchivedRow): string {
  invariant(!event.includes('\n'), `the record at offset ${offset} is not one line`)
  const sealed = attachment === null ? '' : `,"attachment":"${attachment.toString('base64')}"`
  const place = `"offset":${offset},"position":${position},"time":"${time}"`
  return `{${place},"key":${JSON.stringify(key)},"type":${JSON.stringify(type)}${sealed}${EVENT}${event}}\n`
}

/** @throws SyntaxError for a line that `lineOf` cannot have written. */
export function rowOf(line: string): ArchivedRow {
  // What stands before is written by us, and within its texts every quotation mark has a backslash before it.
  const at = line.indexOf(EVENT)
  if (at === -1 || !line.endsWith('}')) throw new SyntaxError('a line of a segment has no event')
  const head = JSON.parse(`${line.slice(0, at)}}`, exact)
  const { offset, position, time, key, type, attachment = null } = head
  const event = line.slice(at + EVENT.length, -1)
  const sealed = attachment === null ? null : Buffer.from(attachment, 'base64')
  return { offset, position, time, key, type, event, attachment: sealed }
}

/** Offsets and positions may pass 2^53: they are taken from their digits. */
function exact(name: string, value: unknown, { source }: { source?: string } = {}): unknown {
  return name === 'offset' || name === 'position' ? BigInt(source ?? '') : value
}
