import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CANARY } from '../load/merchant.ts'
import type { Finding } from './evidence.ts'
import { found } from './found.ts'

const PIECE_BYTES = 16 * 1024 * 1024
const needle = Buffer.from(CANARY)

/** What was personal, in clear in any file of the run: data, logs, spool. What the outside wrote down is its own. */
export function canariesBelow(directory: string): Finding[] {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !/^(gateway\.jsonl|receiver-\d+\.json|report\.txt)$/.test(path),
  )
  return found(
    'Private',
    'files with personal data in clear',
    files.filter((path) => holdsCanary(join(directory, path))),
  )
}

function holdsCanary(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false
  const file = openSync(path, 'r')
  try {
    const piece = Buffer.alloc(PIECE_BYTES + needle.length)
    for (let at = 0; ; at += PIECE_BYTES) {
      const read = readSync(file, piece, 0, piece.length, at)
      if (read <= 0) return false
      if (piece.subarray(0, read).includes(needle)) return true
    }
  } finally {
    closeSync(file)
  }
}
