import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { isAway } from '#kernel/away'
import { systemClock } from '#kernel/clock'
import { Refusal } from '#kernel/errors'
import { InvariantViolation } from '#kernel/invariant'
import { createLogger } from '#kernel/telemetry'
import { createAdmission } from './admission.ts'
import { createDiskGuard, type DiskGuard, freeBytesOf, noDisk } from './disk.ts'

const logger = createLogger({ level: 'silent', clock: systemClock })

function databaseError(code: string): Error {
  return Object.assign(new pg.DatabaseError('said by the server', 1, 'error'), { code })
}

async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  try {
    await work
  } catch (error) {
    assert.ok(error instanceof Refusal)
    return error
  }
  return assert.fail('nothing was refused')
}

test('with the disk nearly full nothing is accepted, and with room again it is', async () => {
  let nowMs = 0
  let free = 99
  const clock = { ...systemClock, monotonicMs: () => nowMs }
  const disk = createDiskGuard({ clock, freeBytes: async () => free, watermarkBytes: 100 })
  let accepted = 0
  const accept = () => createAdmission(disk, logger)(async () => ++accepted)

  const refusal = await refusalOf(accept())
  assert.deepEqual([refusal.code, refusal.status, accepted], ['disk_full', 503, 0])
  assert.ok((refusal.retryAfterSeconds ?? 0) > 0)
  free = 100
  nowMs = 999
  assert.equal((await refusalOf(accept())).code, 'disk_full')
  nowMs = 1_000
  assert.equal(await accept(), 1)
})

test('the free space is looked at once a second, however many ask, and an unknown one is enough', async () => {
  let looks = 0
  const disk: DiskGuard = createDiskGuard({
    clock: { ...systemClock, monotonicMs: () => 5 },
    freeBytes: async () => {
      looks += 1
      throw new Error('no such directory')
    },
  })
  assert.deepEqual(await Promise.all(Array.from({ length: 100 }, () => disk.isLow())), Array(100).fill(false))
  assert.equal(looks, 1)
  assert.ok((await freeBytesOf('/')) > 0)
})

test('a database that is away, busy or gone in mid-commit means try again', async () => {
  const away = [
    databaseError('57P01'),
    databaseError('53300'),
    databaseError('08006'),
    databaseError('25P04'),
    databaseError('55P03'),
    databaseError('40P01'),
    Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
  ]
  for (const error of away) {
    const refusal = await refusalOf(createAdmission(noDisk, logger)(() => Promise.reject(error)))
    assert.deepEqual([refusal.code, refusal.status], ['log_unavailable', 503], error.message)
    assert.ok((refusal.retryAfterSeconds ?? 0) > 0)
  }
})

test('a bug is not taken for a database that is away, and a refusal stays what it is', async () => {
  const others = [
    databaseError('42601'),
    databaseError('23514'),
    new InvariantViolation('a connection has two ends'),
    new TypeError('timeout is not a function'),
    new Refusal('idempotency_key_reused'),
    'a text',
  ]
  for (const error of others) {
    assert.equal(isAway(error), false)
    await assert.rejects(
      createAdmission(noDisk, logger)(() => Promise.reject(error)),
      (thrown) => thrown === error,
    )
  }
})
