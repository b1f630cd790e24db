import assert from 'node:assert/strict'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'
import { assertOnce, assertOrderPerKey, settled } from './checks.ts'
import type { Claim, LogUnderTest } from './engine.ts'
import { ANSWER, ask, hinted, toyModule, WATCH } from './toy.ts'

const modules = [toyModule()]

/** Appends until told to stop; every key counts up, and nobody waits for the handlers. */
function startLoad(log: LogUnderTest, round: number): { stop(): Promise<string[]> } {
  const random = seededRandom(round)
  const ids: string[] = []
  let isOpen = true
  const run = async (): Promise<void> => {
    for (let n = round * 1_000_000; isOpen; n++) {
      const keys = new Set(
        Array.from({ length: 1 + Math.floor(random.unit() * 20) }, () => Math.floor(random.unit() * 60)),
      )
      const events = [...keys].map((key) => ask(`key ${key}`, { n }))
      await log.append(events)
      ids.push(...events.map(({ id }) => id))
      await systemClock.sleep(2)
    }
  }
  const done = run()
  return {
    async stop() {
      isOpen = false
      await done
      return ids
    },
  }
}

async function assertExactlyOnce(log: LogUnderTest, ids: readonly string[]): Promise<void> {
  const questions = await settled(log, ANSWER)
  assertOnce(questions, ids)
  assertOrderPerKey(questions)
  const watched = await settled(log, WATCH)
  assert.equal(watched.length, ids.length * 2, 'a question and its answer')
  assert.equal(new Set(watched.map(({ id }) => id)).size, ids.length * 2)
}

/** Three seats; every turn one of them is taken, left in good order, or left by death. */
const comeAndGo: Claim = {
  name: 'processes come, leave and die under load, and every event takes effect once',
  async holds(t, engine) {
    const log = await engine.open(t)
    const random = seededRandom(7)
    let born = 0
    const start = () => log.start(`process ${++born}`, { modules })
    const seats = [await start(), await start(), await start()]
    const load = startLoad(log, 1)
    for (let turn = 0; turn < 12; turn++) {
      const seat = Math.floor(random.unit() * seats.length)
      await (random.unit() < 0.5 ? seats[seat]?.stop() : seats[seat]?.kill())
      const before = (await log.seen(ANSWER)).length
      seats[seat] = await start()
      await until('work goes on', async () => (await log.seen(ANSWER)).length > before)
    }
    await assertExactlyOnce(log, await load.stop())
  },
}

/** Twice the process at work stands still in the middle of whatever it does, until an heir has done it; then it wakes. */
const zombie: Claim = {
  name: 'a frozen process is replaced within seconds, and what it commits late does not count',
  async holds(t, engine) {
    const log = await engine.open(t)
    const ids: string[] = []
    const processes = [await log.start('first', { modules })]
    for (let round = 0; round < 2; round++) {
      const [frozen] = processes
      const before = (await log.seen(ANSWER)).length
      const load = startLoad(log, round)
      await until('it is at work', async () => (await log.seen(ANSWER)).length > before)
      frozen?.freeze()
      processes.unshift(await log.start(`heir ${round}`, { modules }))
      ids.push(...(await load.stop()))
      await until('the heir has taken over', async () => (await log.lag(ANSWER)) === 0, 8_000)
      frozen?.thaw()
    }
    await assertExactlyOnce(log, ids)
  },
}

const takeover: Claim = {
  name: 'the work of a killed process is taken over within seconds, by nobody twice',
  async holds(t, engine) {
    const log = await engine.open(t)
    const doomed = await log.start('doomed', { modules })
    const events = Array.from({ length: 600 }, (_, n) => ask(`key ${n % 60}`, { n }))
    await log.append(events.slice(0, 300))
    await until('it is at work', async () => (await log.seen(ANSWER)).length > 0)
    await doomed.kill({ isNoticed: false })
    await log.append(events.slice(300))
    await log.start('heir', { modules })
    assertOnce(
      await settled(log, ANSWER, 8_000),
      events.map(({ id }) => id),
    )
  },
}

/**
 * One reader stops in the middle of an answer and keeps its locks as long as the server lets it. Nothing it has not
 * claimed may wait for more than about a second, and what it has is taken over.
 */
const stuckReader: Claim = {
  name: 'a reader frozen in mid-result stalls only its own partitions, and those for seconds only',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('healthy', { modules })
    const big = 'x'.repeat(200_000)
    const reader = await log.stuckReader(WATCH)
    const isStuck = new Set(reader.partitions)
    const sent = new Map<string, number>()
    const send = async (count: number, text: string): Promise<void> => {
      const events = Array.from({ length: count }, (_, n) => ask(`key ${n}`, { n, text }, hinted))
      for (const event of events) {
        await log.append([event])
        sent.set(event.id, systemClock.monotonicMs())
      }
    }
    await send(40, big)
    reader.ask()
    await send(40, 'small')
    const stalls: number[] = []
    await until(
      'all have been seen',
      async () => {
        const seen = await log.seen(WATCH)
        for (const { id, partition } of seen) {
          const sentAt = sent.get(id)
          if (sentAt !== undefined && !isStuck.has(partition)) stalls.push(systemClock.monotonicMs() - sentAt)
          sent.delete(id)
        }
        return sent.size === 0
      },
      12_000,
    )
    assert.ok(Math.max(...stalls) < 1_500, `others waited up to ${Math.max(...stalls)} ms`)
  },
}

export const zombieClaims: readonly Claim[] = [comeAndGo, zombie, takeover, stuckReader]
