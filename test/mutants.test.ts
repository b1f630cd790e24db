import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mutants as ofChaos } from './chaos/mutants.ts'
import { mutants as ofTheLedger } from './ledger-model/mutants.ts'
import { mutants as ofTheSimulation } from './simulation/mutants.ts'

const root = join(import.meta.dirname, '..')

test('every planted bug fits the source that it changes, in one place', () => {
  const patches = [
    ...ofChaos,
    ...ofTheSimulation,
    ...ofTheLedger.flatMap(({ name, patches }) => patches.map((patch) => ({ name, ...patch }))),
  ]
  for (const { name, file, find } of patches) {
    const places = readFileSync(join(root, file), 'utf8').split(find).length - 1
    assert.equal(places, 1, `${name}: ${places} places in ${file}`)
  }
})
