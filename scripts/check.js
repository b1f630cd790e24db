// Everything that reads the code without running it. All of it runs; the exit code tells whether all of it passed.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { requireRuntime } from './runtime.js'

const runtime = requireRuntime()
const root = join(import.meta.dirname, '..')

const checks = [
  ['types', 'typescript/bin/tsc', '--noEmit', '-p', '.'],
  ['format and lint', '@biomejs/biome/bin/biome', 'check', '.'],
  // Biome's own rule misses bound functions and calls into packages and Node: pool.query(…), writeFile(…).
  ['floating promises', 'oxlint/bin/oxlint', '--type-aware'],
  ['unused code', 'knip/bin/knip.js'],
]

const failed = checks.filter(([name, program, ...args]) => !passes(name, program, args)).map(([name]) => name)
process.stdout.write(failed.length ? `\nfailed: ${failed.join(', ')}\n` : '\nall checks passed\n')
process.exit(failed.length ? 1 : 0)

function passes(name, program, args) {
  process.stdout.write(`\n${name}\n`)
  const path = join(root, 'node_modules', program)
  if (!existsSync(path)) throw new Error(`${path} is missing: run npm ci`)
  return spawnSync(runtime, [path, ...args], { cwd: root, stdio: 'inherit' }).status === 0
}
