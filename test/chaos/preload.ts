import { promises } from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type Mutant, mutants } from './mutants.ts'

// Loaded with --import into a platform process of a chaos run, before anything else: its clock, the free space of its disk
// and, for a planted bug, its code are in the hands of whoever started it. Nothing of this is in what is shipped.

/** Sent over IPC; what is left out stays as it is. */
export type Seams = {
  /** How far the process's clock is off. */
  readonly clockOffsetMs?: number
  /** What every file system seems to have left; null: the truth. */
  readonly freeBytes?: number | null
}

const trueNow = Date.now
const trueStatfs = promises.statfs
let offsetMs = 0
let freeBytes: number | null = null

Date.now = () => trueNow() + offsetMs
promises.statfs = (async (path: string) => {
  const about = await trueStatfs(path)
  if (freeBytes === null) return about
  return Object.assign(about, { bavail: Math.floor(freeBytes / Number(about.bsize)) })
}) as typeof trueStatfs
syncBuiltinESMExports()

process.on('message', (seams: Seams) => {
  if (seams.clockOffsetMs !== undefined) offsetMs = seams.clockOffsetMs
  if (seams.freeBytes !== undefined) freeBytes = seams.freeBytes
})
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()

const planted = mutants.find(({ name }) => name === process.env.CHAOS_MUTANT)
if (planted) plant(planted)

function plant({ file, find, replace }: Mutant): void {
  const path = fileURLToPath(new URL(`../../${file}`, import.meta.url))
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      if (!url.startsWith('file:') || fileURLToPath(url) !== path) return loaded
      const source = String(loaded.source)
      if (source.split(find).length !== 2) throw new Error(`the mutant does not fit ${file} any more`)
      return { ...loaded, source: source.replace(find, () => replace) }
    },
  })
}
