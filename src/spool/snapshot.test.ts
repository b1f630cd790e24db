import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Clock } from '#kernel/clock'
import { masterKeyOf } from '#kernel/master-key'
import { systemRandom } from '#kernel/random'
import { createSnapshot, SNAPSHOT_AGE_MAX_MS } from './snapshot.ts'

function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-snapshot-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'snapshot')
  let now = 1_000_000
  const clock: Clock = { now: () => now, monotonicMs: () => now, sleep: async () => {} }
  const later = (ms: number): void => {
    now += ms
  }
  const isContent = (value: unknown): value is string => typeof value === 'string'
  const of = (keyByte: number) =>
    createSnapshot({ path, masterKey: masterKeyOf(Buffer.alloc(32, keyByte)), random: systemRandom, clock, isContent })
  return { path, directory, of, later }
}

test('what was kept last is read, sealed on the disk, for its owner alone', async (t) => {
  const { path, directory, of } = open(t)
  const snapshot = of(1)
  assert.equal(await snapshot.read(), undefined)
  await snapshot.keep('first of all')
  await snapshot.keep('what is true now')
  assert.equal(await snapshot.read(), 'what is true now')
  assert.equal(readFileSync(path).includes('true'), false)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(directory), ['snapshot'])
})

test('one that is a day old is not used any more', async (t) => {
  const { of, later } = open(t)
  await of(1).keep('content')
  later(SNAPSHOT_AGE_MAX_MS)
  assert.equal(await of(1).read(), 'content')
  later(1)
  assert.equal(await of(1).read(), undefined)
})

test('neither is one that was changed, cut short, or sealed under another master key', async (t) => {
  const { path, of } = open(t)
  await of(1).keep('content')
  assert.equal(await of(2).read(), undefined)
  const whole = readFileSync(path)
  for (const bytes of [
    whole.subarray(0, -1),
    whole.map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
    Buffer.alloc(0),
  ]) {
    writeFileSync(path, bytes)
    assert.equal(await of(1).read(), undefined)
  }
})
