import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Counter } from 'prom-client'
import { systemClock } from './clock.ts'
import { createLogger, createMetrics } from './telemetry.ts'
import { maskPersonal } from './telemetry-mask.ts'

const card = '4242424242424242'
const email = 'anna.müller+x@example.co.uk'

test('a line is one JSON object with level, time, message and fields', () => {
  const [line] = log((logger) => logger.info({ payment: 'pay_1' }, 'accepted'))
  const { time, ...rest } = JSON.parse(line ?? '')
  assert.deepEqual(rest, { level: 'info', payment: 'pay_1', msg: 'accepted' })
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('levels below the one set are not written', () => {
  assert.equal(log((logger) => logger.debug('no'), 'info').length, 0)
  assert.equal(log((logger) => logger.error('no'), 'silent').length, 0)
})

test('headers, bodies and secrets are never written, on whatever level', () => {
  const told = { headers: { a: 'leak' }, body: 'leak', authorization: 'leak', apiKey: 'leak', values: ['leak'] }
  const [line] = log((logger) => logger.child(told).info({ ...told, request: { told } }, 'x'))
  assert.doesNotMatch(line ?? '', /leak/)
  assert.match(line ?? '', /unsaid/)
})

const places = [
  ['a message', (text: string) => log((logger) => logger.info(`paid with ${text} today`))],
  ['a field', (text: string) => log((logger) => logger.info({ note: text }, 'x'))],
  ['a field far within', (text: string) => log((logger) => logger.info({ a: { b: { c: [text] } } }, 'x'))],
  ['a key', (text: string) => log((logger) => logger.info({ a: { [text]: 1 } }, 'x'))],
  ['an error', (text: string) => log((logger) => logger.error({ err: new Error(`bad ${text}`) }, 'x'))],
  [
    'the cause of an error',
    (text: string) => log((logger) => logger.error(new Error('bad', { cause: new Error(text) }))),
  ],
  ['a child logger', (text: string) => log((logger) => logger.child({ text }).info('x'))],
] as const

for (const [place, write] of places) {
  test(`a card number or e-mail address in ${place} is masked, and the line stays JSON`, () => {
    for (const text of [card, '4242 4242 4242 4242', '4242-4242-4242-4242', '378282246310005', email]) {
      const [line = ''] = write(text)
      JSON.parse(line)
      assert.ok(!line.includes(text), line)
      assert.doesNotMatch(line, /4242|müller/)
    }
  })
}

test('a card number written as a number is masked, and the line stays JSON', () => {
  const [line = ''] = log((logger) => logger.info({ number: Number(card), list: [Number(card)] }, 'x'))
  assert.doesNotMatch(line, /4242/)
  assert.equal(JSON.parse(line).number, 0)
})

test('ids, trace ids, instants and amounts are left alone', () => {
  const line =
    '{"payment":"pay_4242424242424242abcdefgh","trace":"4242424242424242abcdef0123456789","time":"2026-11-21T12:00:00.000Z","a":1234567890123}'
  assert.equal(maskPersonal(line), line)
})

test('masking keeps any line of JSON valid', () => {
  const digits = fc.stringMatching(/^[0-9 -]{13,24}$/)
  const text = fc.oneof(fc.string(), digits, fc.constant(card), fc.constant(email))
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.maxSafeInteger(), fc.double(), fc.array(text))), (fields) => {
      JSON.parse(maskPersonal(JSON.stringify(fields)))
    }),
  )
})

test('masking takes time in proportion to the line', () => {
  const before = process.cpuUsage()
  for (const line of ['a'.repeat(200_000), '1 '.repeat(100_000), 'a@a.'.repeat(50_000)]) maskPersonal(line)
  assert.ok(process.cpuUsage(before).user < 2_000_000)
})

test('an error of the database is told by its code and names, without the values it quotes', () => {
  const error = Object.assign(new Error('invalid input syntax for type bigint: "leak"'), {
    ...{ code: '22P02', table: 'payment', constraint: 'payment_pkey', detail: 'Key (name)=(leak) exists.' },
    ...{ where: 'leak', hint: 'leak', internalQuery: 'leak', severity: 'ERROR' },
  })
  const [line = ''] = log((logger) => logger.error({ err: error }, 'statement failed'))
  assert.doesNotMatch(line, /leak/)
  const { err } = JSON.parse(line)
  assert.equal(err.code, '22P02')
  assert.equal(err.constraint, 'payment_pkey')
  assert.equal(err.message, 'invalid input syntax for type bigint: "…"')
  assert.match(err.stack, /^\s+at .*telemetry\.test\.ts/)
})

test('the error of a parser does not bring along what it parsed', () => {
  for (const text of ['leak', '{"leak": leak}', '{"a": "leak" leak leak leak leak']) {
    assert.throws(
      () => JSON.parse(text),
      (error) => {
        const [line = ''] = log((logger) => logger.error({ err: error }, 'x'))
        assert.doesNotMatch(line, /leak/)
        return true
      },
    )
  }
})

test('a message of several lines does not reach the stack', () => {
  const [line = ''] = log((logger) => logger.error({ err: new Error('first\n    at leak, "more') }, 'x'))
  assert.doesNotMatch(JSON.parse(line).err.stack, /leak/)
})

test('what is thrown without being an error, or in a loop, is told in bounds', () => {
  const loop = new Error('loop')
  loop.cause = loop
  const many = new AggregateError(Array.from({ length: 100 }, () => loop))
  for (const err of ['leak', { leak: 1 }, null, loop, many]) {
    const [line = ''] = log((logger) => logger.error({ err }, 'x'))
    assert.doesNotMatch(line, /leak/)
    assert.ok(line.length < 300_000)
  }
})

test('two registries share nothing', async () => {
  const [first, second] = [createMetrics(), createMetrics()]
  new Counter({ name: 'millrace_things_total', help: 'Things.', registers: [first] }).inc(3)
  new Counter({ name: 'millrace_things_total', help: 'Things.', registers: [second] })
  assert.match(await first.metrics(), /millrace_things_total 3/)
  assert.match(await second.metrics(), /millrace_things_total 0/)
})

function log(write: (logger: ReturnType<typeof createLogger>) => void, level = 'debug'): string[] {
  const lines: string[] = []
  write(createLogger({ level, clock: systemClock, destination: { write: (line) => lines.push(line) } }))
  return lines
}
