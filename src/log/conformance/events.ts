import assert from 'node:assert/strict'
import { until } from '#harness/until'
import { brandId } from '#kernel/ids'
import { EventInvalid, type NewEvent } from '#log'
import { settled } from './checks.ts'
import type { Claim, Seen } from './engine.ts'
import { ANSWER, ask, rang, toyModule, WATCH } from './toy.ts'

const modules = [toyModule()]

const headers = ({ tenant, mode, traceparent, correlationId }: NewEvent | Seen) => ({
  tenant: String(tenant),
  mode: String(mode),
  trace: traceparent.slice(0, 35),
  correlationId,
})

const headersKept: Claim = {
  name: 'tenant, mode, trace, correlation and cause go with an event over hops and timers',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    const question: NewEvent = {
      ...ask('from', { n: 1, say: 'alarm', at: log.now() + 20, to: 'to' }),
      tenant: brandId('tenant_b'),
      mode: 'live',
      causationId: 'evt_before',
      correlationId: 'evt_first',
    }
    await log.append([question])
    await until('it rang', async () => (await log.seen(WATCH)).some(({ type }) => type === rang.type))
    const seen = await settled(log, WATCH)
    assert.equal(seen.length, 3)
    for (const event of seen) {
      assert.deepEqual(headers(event), headers(question))
      assert.equal(event.causationId, event.id === question.id ? 'evt_before' : question.id)
    }
    assert.equal(new Set(seen.map(({ traceparent }) => traceparent)).size, 3, 'each hop is a span of its own')
  },
}

const largeAndUnicode: Claim = {
  name: 'events of 200 KB and texts of every alphabet arrive as they were sent',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    const texts = [
      '😀 ﷽ 漢字 e\u0301 \u202e \ufeff \u0001 \\u0000 \\ud800 " \\ \n',
      'ß'.repeat(100_000),
      'x'.repeat(200_000),
      '',
    ]
    const events = Array.from({ length: 24 }, (_, n) => ask(`ключ ${n}`, { n, text: texts[n % 4] ?? '' }))
    await Promise.all(events.map((event) => log.append([event])))
    const seen = await settled(log, ANSWER)
    const sent = new Map(events.map(({ id, key, data }) => [id, { key, data }]))
    assert.equal(seen.length, events.length)
    for (const { id, key, data } of seen) assert.deepEqual({ key, data }, sent.get(id))
  },
}

const refusedAtTheDoor: Claim = {
  name: 'NUL, half surrogates, undeclared fields and too large events are refused at the door, by field and not by value',
  async holds(t, engine) {
    const log = await engine.open(t)
    await log.start('one', { modules })
    const bad: readonly (readonly [NewEvent, RegExp])[] = [
      [ask('key', { n: 1, text: 'secret \0' }), /^toy\.asked: \/data\/text holds/],
      [ask('key', { n: 1, text: 'secret \ud800' }), /^toy\.asked: \/data\/text holds/],
      [ask('secret \0', { n: 1 }), /^toy\.asked: \/key holds/],
      [{ ...ask('key', { n: 1 }), data: { n: 1, undeclared: 'secret' } }, /^toy\.asked: \/undeclared /],
      [{ ...ask('key', { n: 1 }), data: { n: 'secret' } }, /^toy\.asked: \/n must be integer/],
      [ask('key', { n: 1, text: 'secret'.repeat(50_000) }), /^toy\.asked: \d+ bytes/],
    ]
    const good = ask('key', { n: 2 })
    const outcomes = await Promise.allSettled([...bad.map(([event]) => log.append([event])), log.append([good])])
    for (const [index, [, message]] of bad.entries()) {
      const outcome = outcomes[index]
      assert.ok(outcome?.status === 'rejected' && outcome.reason instanceof EventInvalid)
      assert.match(outcome.reason.message, message)
      assert.doesNotMatch(outcome.reason.message, /secret/)
    }
    assert.deepEqual(
      (await settled(log, ANSWER)).map(({ id }) => id),
      [good.id],
    )
  },
}

export const eventClaims: readonly Claim[] = [headersKept, largeAndUnicode, refusedAtTheDoor]
