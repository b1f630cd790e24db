import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { invariant } from '#kernel/invariant'
import type { Mutant } from './mutants.ts'

/** Runs until a mutant counts as missed, each on a seed of its own. */
const RUNS_MAX = 4
const AT_ONCE = 2
const OPERATIONS = { model: '2500', history: '1200' } as const

/** Plants every mutant in a copy of the checkout and runs what must find it. Returns the names of those that were missed. */
export async function huntAll(root: string, wanted: readonly Mutant[], say: (line: string) => void): Promise<string[]> {
  const queue = [...wanted]
  const missed: string[] = []
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
        const { runs, told } = await hunt(root, mutant)
        if (told === undefined) missed.push(mutant.name)
        say(`${told === undefined ? 'MISSED' : 'found'} after ${runs}: ${mutant.name}  ${told?.slice(0, 300) ?? ''}`)
      }
    }),
  )
  return missed
}

async function hunt(root: string, mutant: Mutant): Promise<{ runs: number; told: string | undefined }> {
  const copy = plant(root, mutant)
  try {
    for (let runs = 1; runs <= RUNS_MAX; runs++) {
      const told = await runIn(copy, mutant, `${mutant.name} ${runs}`)
      if (told !== undefined) return { runs, told }
    }
    return { runs: RUNS_MAX, told: undefined }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** The line that tells of it; undefined where it was not found. */
async function runIn(copy: string, { foundBy }: Mutant, seed: string): Promise<string | undefined> {
  const options =
    foundBy === 'model' ? ['--operations', OPERATIONS.model] : ['--history', '--operations', OPERATIONS.history]
  const child = spawn(process.execPath, ['test/ledger-model/main.ts', seed, '--clients', '32', ...options], {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) => child.once('exit', resolve).once('error', reject))
  const lines = Buffer.concat(output).toString('utf8').split('\n')
  if (code !== 0 && code !== 1) return undefined
  return lines.find((line) => line.startsWith(`WRONG ${foundBy === 'model' ? '' : foundBy}`))
}

/** A copy of the checkout with the bug in it. */
function plant(root: string, { name, patches }: Mutant): string {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-mutant-'))
  for (const part of ['src', 'test/ledger-model', 'test/harness', 'package.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const { file, find, replace } of patches) {
    const path = join(copy, file)
    const parts = readFileSync(path, 'utf8').split(find)
    invariant(parts.length === 2, `${file} has what "${name}" patches once, not ${parts.length - 1} times: ${find}`)
    writeFileSync(path, parts.join(replace))
  }
  return copy
}
