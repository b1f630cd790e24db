import { closeSync, existsSync, openSync, readSync } from 'node:fs'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24

/**
 * Whether the write-ahead log of an SQLite file ends in frames that were written and do not add up. SQLite drops such a
 * tail without a word: the power failed in the middle of a write, and nobody was answered; or the disk lost what was
 * synced, and somebody was. (https://www.sqlite.org/fileformat2.html#walformat)
 */
export function hasTornTail(walPath: string): boolean {
  if (!existsSync(walPath)) return false
  const file = openSync(walPath, 'r')
  try {
    return isTorn(file)
  } finally {
    closeSync(file)
  }
}

function isTorn(file: number): boolean {
  const header = Buffer.alloc(HEADER_BYTES)
  if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return false
  const isBigEndian = (header.readUInt32BE(0) & 1) === 1
  const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(8)
  const sum: Sum = [0, 0]
  add(sum, header.subarray(0, 24), isBigEndian)
  if (!matches(sum, header, 24)) return true

  const frame = Buffer.alloc(frameBytes)
  let hasEnded = false
  for (let at = HEADER_BYTES; ; at += frameBytes) {
    const bytes = readSync(file, frame, 0, frameBytes, at)
    if (bytes < FRAME_HEADER_BYTES) return false
    // Frames of an earlier round of the same file have other salts: the log ends before them.
    if (frame.compare(header, 16, 24, 8, 16) !== 0) hasEnded = true
    else if (hasEnded || bytes < frameBytes) return true
    add(sum, frame.subarray(0, 8), isBigEndian)
    add(sum, frame.subarray(FRAME_HEADER_BYTES), isBigEndian)
    if (!hasEnded && !matches(sum, frame, 16)) return true
  }
}

type Sum = [number, number]

function add(sum: Sum, bytes: Buffer, isBigEndian: boolean): void {
  let [one, other] = sum
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + other) >>> 0
    other = (other + (isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + one) >>> 0
  }
  sum[0] = one
  sum[1] = other
}

function matches(sum: Sum, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === sum[0] && bytes.readUInt32BE(at + 4) === sum[1]
}
