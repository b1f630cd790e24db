import assert from 'node:assert/strict'
import test from 'node:test'
import { selectTests } from './select.ts'

const files = [
  'src/kernel/money.test.ts',
  'src/log/conformance.test.ts',
  'src/log/engine/deep.test.ts',
  'test/chaos/kill.test.ts',
  'test/corpus/stripe.test.ts',
  'test/flows/a-refund.test.ts',
  'test/full/long.test.ts',
  'test/simulation/mutants.test.ts',
  'test/tidy.test.ts',
]

const chosen = (args: string[], hasCorpus = true): string[] => selectTests(args, files, hasCorpus).files

test('without a name everything runs but what is slow', () => {
  assert.deepEqual(chosen([]), [
    'src/kernel/money.test.ts',
    'src/log/conformance.test.ts',
    'src/log/engine/deep.test.ts',
    'test/flows/a-refund.test.ts',
    'test/tidy.test.ts',
  ])
})

test('a suite runs its own files', () => {
  assert.deepEqual(chosen(['unit']), files.slice(0, 3))
  assert.deepEqual(chosen(['log']), ['src/log/conformance.test.ts'])
  assert.deepEqual(chosen(['full']), [
    'test/corpus/stripe.test.ts',
    'test/full/long.test.ts',
    'test/simulation/mutants.test.ts',
  ])
})

test('parts of names narrow a suite, each adding what fits it', () => {
  assert.deepEqual(chosen(['money', 'tidy']), ['src/kernel/money.test.ts', 'test/tidy.test.ts'])
  assert.deepEqual(chosen(['unit', 'tidy']), [])
})

test('a name that every object has is a part of a file name and no suite', () => {
  assert.deepEqual(chosen(['constructor']), [])
})

test('without the corpus its tests are counted as skipped', () => {
  const { files: rest, skippedCorpus } = selectTests(['full'], files, false)
  assert.deepEqual(rest, ['test/full/long.test.ts', 'test/simulation/mutants.test.ts'])
  assert.equal(skippedCorpus, 1)
  assert.equal(selectTests([], files, false).skippedCorpus, 0)
})
