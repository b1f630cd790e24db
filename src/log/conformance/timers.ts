import assert from 'node:assert/strict'
import { until } from '#harness/until'
import { settled } from './checks.ts'
import type { Claim, LogUnderTest, Seen } from './engine.ts'
import { ANSWER, ask, rang, toyModule, WATCH } from './toy.ts'

const modules = [toyModule()]
const HOUR_MS = 3_600_000

const rings = (seen: readonly Seen[]): Seen[] => seen.filter(({ type }) => type === rang.type)

const startTwo = async (log: LogUnderTest): Promise<void> => {
  await log.start('one', { modules })
  await log.start('two', { modules })
}

const alarm = (key: string, n: number, at: number) => ask(key, { n, say: 'alarm', at })
const cancel = (key: string, n: number) => ask(key, { n, say: 'cancel' })

const once: Claim = {
  name: 'a timer fires once, with two processes, and a projection that reads it takes it from nobody',
  async holds(t, engine) {
    const log = await engine.open(t)
    await startTwo(log)
    const alarms = Array.from({ length: 200 }, (_, n) => alarm(`key ${n}`, n, log.now() + (n % 10) * 20))
    await log.append(alarms)
    await until('all rang', async () => rings(await log.seen(ANSWER)).length >= 200)
    for (const group of [ANSWER, WATCH]) {
      const heard = rings(await settled(log, group))
      assert.deepEqual(
        heard.map(({ data }) => data.n).toSorted((a, b) => a - b),
        alarms.map((_, n) => n),
        group,
      )
    }
  },
}

const cancels: Claim = {
  name: 'a timer that was canceled is never heard of again, though it may be on its way',
  async holds(t, engine) {
    const log = await engine.open(t)
    await startTwo(log)
    const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`)
    await log.append(keys.map((key, n) => alarm(key, n, log.now() + n * 3)))
    for (let at = 0; at < keys.length; at += 10)
      await log.append(keys.slice(at, at + 10).map((key, n) => cancel(key, at + n)))
    const last = alarm('last', 0, log.now() + 350)
    await log.append([last])
    await until('the last rang', async () => rings(await log.seen(ANSWER)).some(({ key }) => key === 'last'))
    const seen = await settled(log, ANSWER)
    for (const key of keys) {
      const story = seen.filter((event) => event.key === key).map(({ type }) => type)
      assert.ok(story.lastIndexOf(rang.type) <= 1, `${key} rang after its cancel: ${story}`)
    }
  },
}

const reschedules: Claim = {
  name: 'a timer set anew rings for its latest setting only: a firing of an older generation is ignored',
  async holds(t, engine) {
    const log = await engine.open(t)
    await startTwo(log)
    const keys = Array.from({ length: 40 }, (_, n) => `key ${n}`)
    for (let n = 0; n < 8; n++) await log.append(keys.map((key, index) => alarm(key, n, log.now() + (index % 4) * 10)))
    const isLast = ({ data }: Seen): boolean => data.n === 7
    await until('all rang for the last time', async () => rings(await log.seen(ANSWER)).filter(isLast).length === 40)
    const seen = await settled(log, ANSWER)
    for (const key of keys) {
      let latest = -1
      for (const { type, data } of seen.filter((event) => event.key === key)) {
        if (type === rang.type) assert.equal(data.n, latest, `${key} rang for an older setting`)
        else latest = data.n
      }
      const heard = rings(seen).filter((event) => event.key === key)
      assert.equal(new Set(heard.map(({ data }) => data.n)).size, heard.length, `${key} rang twice for one setting`)
    }
  },
}

/** Forward over a timer's hour, back, and forward again over the same hour, as clocks do in autumn. */
const clockSteps: Claim = {
  name: 'clock steps of an hour to and fro: each timer fires once, and work goes on',
  async holds(t, engine) {
    const log = await engine.open(t)
    const doomed = await log.start('doomed', { modules })
    await log.start('one', { modules })
    await log.append([alarm('half an hour', 1, log.now() + HOUR_MS / 2), alarm('a moment', 2, log.now() + 50)])
    const count = async (key: string): Promise<number> =>
      rings(await log.seen(ANSWER)).filter((event) => event.key === key).length
    await until('a moment has passed', async () => (await count('a moment')) === 1)
    assert.equal(await count('half an hour'), 0)
    log.stepClock(HOUR_MS)
    await until('half an hour has passed', async () => (await count('half an hour')) === 1)
    log.stepClock(-HOUR_MS)
    // Whatever leases it had run out in an hour by the clock as it is now: that must not be waited for.
    await doomed.kill({ isNoticed: false })
    const alarms = Array.from({ length: 16 }, (_, n) => alarm(`after ${n}`, n, log.now() + 50))
    await log.append(alarms)
    await until('they rang though time went back', async () => rings(await log.seen(ANSWER)).length === 18, 10_000)
    log.stepClock(HOUR_MS)
    const questions = (await settled(log, ANSWER)).filter(({ type }) => type !== 'toy.rang')
    assert.equal(questions.length, 18)
    assert.equal(rings(await settled(log, ANSWER)).length, 18)
    assert.equal(await count('half an hour'), 1)
  },
}

export const timerClaims: readonly Claim[] = [once, cancels, reschedules, clockSteps]
