import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { invariant } from '#kernel/invariant'
import type { Mutant } from './mutants.ts'
import { openWorker, WORKERS } from './pool.ts'
import { freshSeeds } from './seeds.ts'

/** Seeds until a mutant counts as missed. */
const SEEDS_A_MUTANT = 2_000

/** Hunts every mutant, each on seeds that nobody has seen before. Returns the names of those that were missed. */
export async function huntAll(
  root: string,
  serverUrl: string,
  wanted: readonly Mutant[],
  say: (line: string) => void,
): Promise<string[]> {
  const queue = [...wanted]
  const missed: string[] = []
  await Promise.all(
    Array.from({ length: WORKERS }, async (_, n) => {
      for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
        const { schedules, failure } = await hunt(root, serverUrl, mutant, freshSeeds(SEEDS_A_MUTANT), `mutant_${n}`)
        if (failure === undefined) missed.push(mutant.name)
        const verdict = failure === undefined ? 'MISSED' : 'found'
        say(`${verdict} after ${schedules}: ${mutant.name}  ${failure?.split('\n')[0]?.slice(0, 160) ?? ''}`)
      }
    }),
  )
  return missed
}

type Hunt = { readonly mutant: Mutant; readonly schedules: number; readonly failure: string | undefined }

/** Runs seeds on the mutant until one fails, or there are none left. */
async function hunt(
  root: string,
  serverUrl: string,
  mutant: Mutant,
  seeds: readonly string[],
  database: string,
): Promise<Hunt> {
  const copy = plant(root, mutant)
  try {
    const worker = await openWorker(copy, serverUrl, database)
    try {
      for (const [n, seed] of seeds.entries()) {
        const { failure } = await worker.run(seed)
        if (failure !== undefined) return { mutant, schedules: n + 1, failure: `seed=${seed} ${failure}` }
      }
    } finally {
      await worker.close()
    }
    return { mutant, schedules: seeds.length, failure: undefined }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** A copy of the checkout with the bug in it. */
function plant(root: string, mutant: Mutant): string {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-mutant-'))
  for (const part of ['src', 'test/simulation', 'package.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const path = join(copy, mutant.file)
  const parts = readFileSync(path, 'utf8').split(mutant.find)
  invariant(parts.length === 2, `${mutant.file} has what "${mutant.name}" patches once, not ${parts.length - 1} times`)
  writeFileSync(path, parts.join(mutant.replace))
  return copy
}
