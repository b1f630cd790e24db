import { invariant } from '#kernel/invariant'

// Names and numbers of PostgreSQL's write-ahead log (WAL): a position is a byte of it, written `16/B374D848`; a segment is a
// file of it, named by timeline and number. https://www.postgresql.org/docs/18/wal-internals.html

const SEGMENTS_OF_4_GB = 0x1_0000_0000n

export function positionOf(text: string): bigint {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text) ?? []
  invariant(high !== undefined && low !== undefined, 'a WAL position is two hexadecimal numbers')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

export function textOf(position: bigint): string {
  const hex = (part: bigint): string => part.toString(16).toUpperCase()
  return `${hex(position >> 32n)}/${hex(position & 0xffff_ffffn)}`
}

/** A segment of one timeline. */
export type Segment = { readonly timeline: number; readonly number: bigint }

export function segmentName({ timeline, number }: Segment, segmentBytes: bigint): string {
  const perId = SEGMENTS_OF_4_GB / segmentBytes
  return [BigInt(timeline), number / perId, number % perId].map(hex8).join('')
}

/** Undefined for a name that is no segment's. */
export function segmentOf(name: string, segmentBytes: bigint): Segment | undefined {
  const [, timeline, id, rest] = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name) ?? []
  if (timeline === undefined || id === undefined || rest === undefined) return undefined
  const number = BigInt(`0x${id}`) * (SEGMENTS_OF_4_GB / segmentBytes) + BigInt(`0x${rest}`)
  return { timeline: Number.parseInt(timeline, 16), number }
}

export function historyName(timeline: number): string {
  return `${hex8(BigInt(timeline))}.history`
}

/** Where each earlier timeline ended and the next began, from the file that PostgreSQL keeps of it. */
export function forksIn(history: string): { readonly timeline: number; readonly end: bigint }[] {
  const lines = history.split('\n').map((line) => /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line))
  return lines.flatMap((found) => {
    const [, timeline, end] = found ?? []
    return timeline === undefined || end === undefined ? [] : [{ timeline: Number(timeline), end: positionOf(end) }]
  })
}

function hex8(number: bigint): string {
  return number.toString(16).toUpperCase().padStart(8, '0')
}
