import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { MasterKey } from '#kernel/master-key'
import { systemRandom } from '#kernel/random'
import { isHeld, namesIn, type Row } from './files.ts'
import { createRowBoxes } from './row-box.ts'
import { sql } from './sql.ts'

/** A file of the spool as it lies on the disk. */
export type InspectedFile = {
  readonly name: string
  /** Whether its process lives; else the next to live drains it. */
  readonly isHeld: boolean
  /** Of requests and webhooks that wait. */
  readonly rows: number
  readonly bytes: number
  /** When the first of them was accepted, in Unix milliseconds; null when none waits or it cannot be read. */
  readonly oldestAt: number | null
  /** What was set aside, and why. */
  readonly asides: readonly { readonly sequence: number | null; readonly reason: string; readonly bytes: number }[]
  /** It cannot be read at all. */
  readonly isUnreadable: boolean
}

/** Looks into a spool directory, whoever is using it, and changes nothing. */
export function inspectSpool(directory: string, masterKey: MasterKey | undefined): InspectedFile[] {
  if (!existsSync(directory)) return []
  const boxes = masterKey && createRowBoxes(masterKey, systemRandom)
  return namesIn(directory).map((name) => {
    const about = { name, isHeld: isHeld(directory, name) }
    try {
      return { ...about, ...contentOf(join(directory, `${name}.spool`), name), isUnreadable: false }
    } catch {
      return { ...about, rows: 0, bytes: 0, oldestAt: null, asides: [], isUnreadable: true }
    }
  })

  function contentOf(path: string, name: string) {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const { rows, bytes } = database.prepare(sql.summary).get() as { rows: number; bytes: number }
      const first = database.prepare(sql.read).get(0, 1) as Row | undefined
      const asides = database.prepare(sql.asides).all() as InspectedFile['asides'][number][]
      return { rows, bytes, oldestAt: first ? (boxes?.open(first, name)?.at ?? null) : null, asides }
    } finally {
      database.close()
    }
  }
}
