import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock'
import type { Followed, Follower } from '#log'
import { type Awaited, createWhenDecided } from './when-decided.ts'

/** Sleeps until it is let go, whatever the time. */
function stoppedClock() {
  const sleepers = new Set<{ readonly ms: number; wake(): void }>()
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        sleepers.delete(sleeper)
        resolve()
      }
      const sleeper = { ms, wake }
      sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake, { once: true })
    })
  return { clock: { ...systemClock, sleep }, sleepers }
}

function setUp() {
  const hearers = new Set<(batch: readonly Followed[]) => void>()
  const follower: Pick<Follower, 'follow'> = {
    follow: (hear) => {
      hearers.add(hear)
      return { ready: Promise.resolve(), stop: () => void hearers.delete(hear) }
    },
  }
  const decided = new Set<string>()
  const questions: (readonly Awaited[])[] = []
  const { clock, sleepers } = stoppedClock()
  const waiting = createWhenDecided({
    follower: follower as Follower,
    clock,
    arePending: async (asked) => {
      questions.push(asked)
      return asked.map(({ ref, operation }) => !decided.has(operation ?? ref.id))
    },
  })
  const tell = (...keys: string[]): void => {
    const batch = keys.map((key) => ({ key }) as Followed)
    for (const hear of hearers) hear(batch)
  }
  const wait = (id: string, operation?: string): Promise<void> =>
    waiting.whenDecided({ tenant: 'main', mode: 'test', id }, operation === undefined ? {} : { operation }, 20)
  return { waiting, hearers, decided, questions, sleepers, tell, wait }
}

test('whoever waits goes on with the decision, and nobody listens after that', async () => {
  const { hearers, decided, tell, wait } = setUp()
  const one = wait('pay_1')
  tell('pay_1')
  decided.add('pay_1')
  tell('pay_2')
  tell('pay_1')
  await one
  assert.equal(hearers.size, 0)
})

test('what was decided before is not waited for', async () => {
  const { decided, wait } = setUp()
  decided.add('pay_1')
  await wait('pay_1')
})

test('an operation is waited for by itself, whatever becomes of its payment', async () => {
  const { decided, tell, wait, sleepers } = setUp()
  decided.add('pay_1')
  const refund = wait('pay_1', 'op_1')
  await Promise.resolve()
  assert.equal(sleepers.size, 1)
  decided.add('op_1')
  tell('pay_1')
  await refund
})

test('a thousand who wait cost a few questions and one listener', async () => {
  const { hearers, decided, questions, tell, wait } = setUp()
  const ids = Array.from({ length: 1_000 }, (_, n) => `pay_${n}`)
  const all = Promise.all(ids.map((id) => wait(id)))
  assert.equal(hearers.size, 1)
  for (const id of ids) decided.add(id)
  tell(...ids)
  await all
  assert.ok(questions.length <= 10, `${questions.length} questions`)
})

test('when the time is up, or the server stops, everybody goes on undecided', async () => {
  const { waiting, hearers, sleepers, wait } = setUp()
  const one = wait('pay_1')
  assert.deepEqual(
    [...sleepers].map(({ ms }) => ms),
    [20_000],
  )
  for (const sleeper of sleepers) sleeper.wake()
  await one
  const other = wait('pay_2')
  waiting.close()
  await other
  await wait('pay_3')
  assert.equal(hearers.size, 0)
})
