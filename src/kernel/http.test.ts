import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { pino } from 'pino'
import { Type } from 'typebox'
import { systemClock } from './clock.ts'
import { Refusal } from './errors.ts'
import { createHttpServer, type HttpServer } from './http.ts'
import { parseJson } from './http-json.ts'
import { systemRandom } from './random.ts'

const Payment = Type.Object(
  {
    amount: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    capture: Type.Optional(Type.Union([Type.Literal('automatic'), Type.Literal('manual')])),
    metadata: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z]{1,9}$' }), Type.String({ maxLength: 5 }), {
        additionalProperties: false,
      }),
    ),
    payer: Type.Optional(Type.Object({ name: Type.String() }, { additionalProperties: false })),
  },
  { additionalProperties: false },
)

const json = { 'content-type': 'application/json' }
const good = { amount: 100, currency: 'EUR' }

test('a good request reaches its handler parsed, with the very bytes that came', async (t) => {
  const { post } = await serve(t)
  const text = '{ "amount" : 1e2, "currency":"EUR", "metadata": {"n": "\\u00e9"} }'
  const answer = await post('/payments', text)
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.body, { amount: 100, raw: text })
})

const mistakes = [
  ['a string amount', { ...good, amount: '5' }, 422, 'amount_invalid', 'amount'],
  ['an amount of zero', { ...good, amount: 0 }, 422, 'amount_invalid', 'amount'],
  ['a negative amount', { ...good, amount: -1 }, 422, 'amount_invalid', 'amount'],
  ['a fraction', { ...good, amount: 1.5 }, 422, 'amount_invalid', 'amount'],
  ['an amount above 2^53', '{"amount":9007199254740993,"currency":"EUR"}', 422, 'amount_invalid', 'amount'],
  ['an amount beyond numbers', '{"amount":1e400,"currency":"EUR"}', 422, 'amount_invalid', 'amount'],
  ['no amount', { currency: 'EUR' }, 422, 'amount_invalid', 'amount'],
  ['no currency', { amount: 1 }, 422, 'currency_unknown', 'currency'],
  ['a currency of the wrong shape', { ...good, currency: 'euro' }, 422, 'currency_unknown', 'currency'],
  ['an unknown field', { ...good, ammount: 5 }, 400, 'body_invalid', 'ammount'],
  ['an unknown field within', { ...good, payer: { name: 'x', 'a/b~': 1 } }, 400, 'body_invalid', 'payer.a/b~'],
  ['a missing field within', { ...good, payer: {} }, 400, 'body_invalid', 'payer.name'],
  ['too long a text', { ...good, metadata: { order: '123456' } }, 400, 'body_invalid', 'metadata.order'],
  ['a key of another shape', { ...good, metadata: { 'a\nb': {} } }, 400, 'body_invalid', 'metadata.a\nb'],
  ['a word not on the list', { ...good, capture: 'later' }, 400, 'body_invalid', 'capture'],
  ['an array', [], 400, 'body_invalid', undefined],
  ['null', null, 400, 'body_invalid', undefined],
  ['broken JSON', '{"amount":', 400, 'body_malformed', undefined],
  ['an empty body', '', 400, 'body_malformed', undefined],
  ['JSON too deep', `${'['.repeat(33)}${']'.repeat(33)}`, 400, 'body_malformed', undefined],
  ['JSON far too deep', '['.repeat(50_000), 413, 'body_too_large', undefined],
  ['a key twice', '{"amount":1,"currency":"EUR","amount":2}', 400, 'body_malformed', undefined],
  ['a key twice, once escaped', '{"amount":1,"currency":"EUR","\\u0061mount":2}', 400, 'body_malformed', undefined],
  ['a key twice around others', '{"amount":1,"metadata":{"a":"1"},"metadata":{}}', 400, 'body_malformed', undefined],
  ['__proto__', '{"amount":1,"currency":"EUR","__proto__":{"x":1}}', 400, 'body_malformed', undefined],
  ['a byte order mark', `\ufeff${JSON.stringify(good)}`, 400, 'body_malformed', undefined],
  ['a large body', JSON.stringify({ ...good, metadata: { a: 'x'.repeat(20_000) } }), 413, 'body_too_large', undefined],
] as const

for (const [what, body, status, code, field] of mistakes) {
  test(`${what} is answered with ${status} ${code}${field ? ` and names ${field}` : ''}`, async (t) => {
    const { post } = await serve(t)
    const answer = await post('/payments', typeof body === 'string' ? body : JSON.stringify(body))
    assertProblem(answer, status, code, field)
  })
}

test('a word not on the list is answered with the list', async (t) => {
  const { post } = await serve(t)
  const { body } = await post('/payments', JSON.stringify({ ...good, capture: 'later' }))
  assert.equal(body.detail, 'capture must be one of: automatic, manual')
})

test('bytes that are not UTF-8 are malformed, not guessed at', async (t) => {
  const { send } = await serve(t)
  const body = Buffer.concat([Buffer.from('{"amount":1,"currency":"E'), Buffer.from([0xff]), Buffer.from('"}')])
  assertProblem(await send('/payments', { method: 'POST', body, headers: json }), 400, 'body_malformed')
})

test('a body of another type, or of none, is not read', async (t) => {
  const { send } = await serve(t)
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense', '']) {
    const request = { method: 'POST', body: Buffer.from(JSON.stringify(good)), headers: { 'content-type': type } }
    assertProblem(await send('/payments', request), 415, 'content_type_unsupported')
  }
  assert.equal((await send('/payments', post('application/json; charset=utf-8'))).status, 200)

  function post(type: string) {
    return { method: 'POST', body: JSON.stringify(good), headers: { 'content-type': type } }
  }
})

test('an address that is not there is 404, a method that is not there is 405 and tells which are', async (t) => {
  const { send } = await serve(t)
  for (const path of ['/', '/nothing', '/payments/1/x', '/%zz', `/payments/${'x'.repeat(300)}`]) {
    assertProblem(await send(path), 404, 'route_not_found')
  }
  const deleted = await send('/payments/pay_1?x=1', { method: 'DELETE' })
  assertProblem(deleted, 405, 'method_not_allowed')
  assert.equal(deleted.headers.get('allow'), 'GET, HEAD')
  assertProblem(await send('/payments', { method: 'PROPFIND' }), 405, 'method_not_allowed')
})

test('a refusal keeps its status, field and time to wait', async (t) => {
  const { send } = await serve(t)
  const answer = await send('/refuse')
  assertProblem(answer, 429, 'rate_limited')
  assert.equal(answer.headers.get('retry-after'), '7')
  assert.equal((await send('/unauthorized')).headers.get('www-authenticate'), 'Bearer')
})

test('an error of ours is a 500 that says nothing, and is logged without request data', async (t) => {
  const { send, lines } = await serve(t)
  const answer = await send('/fail?card=4242424242424242', { headers: { authorization: 'Bearer secret' } })
  assertProblem(answer, 500, 'internal')
  assert.equal(answer.body.detail, undefined)
  assert.ok(!JSON.stringify(answer.body).includes('boom'))
  const failure = lines().find((line) => line.msg === 'request failed')
  assert.equal(failure?.route, '/fail')
  assert.equal(failure?.traceId, answer.body.traceId)
  assert.doesNotMatch(JSON.stringify(lines()), /4242|secret/)
})

test('a request line tells method, route pattern, status, duration and trace, and nothing else', async (t) => {
  const { send, lines } = await serve(t)
  await send('/payments/anna@example.com?name=anna')
  await send('/anna')
  const [first, second] = lines().filter((line) => line.msg === 'request')
  assert.deepEqual(Object.keys(first ?? {}).sort(), [
    ...['durationMs', 'level', 'method', 'msg', 'route', 'status', 'time', 'traceId'],
  ])
  assert.equal(first?.route, '/payments/:id')
  assert.equal(second?.route, 'none')
  assert.doesNotMatch(JSON.stringify(lines()), /anna/)
})

test('a well-formed traceparent is taken on, anything else replaced', async (t) => {
  const { send } = await serve(t)
  const trace = '0af7651916cd43dd8448eb211c80319c'
  const valid = `00-${trace}-b7ad6b7169203331-01`
  const heard = async (traceparent: string) => (await send('/trace', { headers: { traceparent } })).body.traceparent
  assert.equal(await heard(valid), valid)
  const invalid = [
    '',
    valid.toUpperCase(),
    `01${valid.slice(2)}`,
    `${valid}-x`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-b7ad6b7169203331-1`,
  ]
  for (const traceparent of invalid) {
    const replaced = String(await heard(traceparent))
    assert.match(replaced, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    assert.notEqual(replaced, traceparent)
  }
})

test('every answer carries the security headers', async (t) => {
  const { send } = await serve(t)
  for (const path of ['/trace', '/nothing', '/fail', '/%zz']) {
    const { headers } = await send(path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(headers.get('cache-control'), 'no-store', path)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
  }
})

const broken = [
  ['nonsense', 'what is this?\r\n\r\n', 400],
  ['a header without a name', 'GET / HTTP/1.1\r\n: x\r\n\r\n', 400],
  ['two lengths', 'POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
  ['huge headers', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
] as const

for (const [what, bytes, status] of broken) {
  test(`${what} on the socket is answered with a problem of status ${status}`, async (t) => {
    const { port } = await serve(t)
    const answer = await exchange(port, bytes)
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    assert.match(answer, /content-type: application\/problem\+json/)
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
    assert.equal(problem.status, status)
    assert.match(problem.traceId, /^[0-9a-f]{32}$/)
  })
}

test('a request schema that lets unknown fields through does not start', async (t) => {
  const server = createServer(t, () => {})
  server.post('/open', { schema: { body: Type.Object({ a: Type.String() }) } }, async () => 'ok')
  await assert.rejects(async () => await server.ready(), /additionalProperties/)
  const open = [Type.Object({ b: Type.String() }), Type.Record(Type.String(), Type.String())]
  for (const inner of open) {
    const nested = Type.Object({ a: inner }, { additionalProperties: false })
    const other = createServer(t, () => {})
    other.post('/open', { schema: { body: nested } }, async () => 'ok')
    await assert.rejects(async () => await other.ready(), /body\.a/)
  }
})

test('the strict parser agrees with JSON.parse on every document without doubtful keys', () => {
  const value = fc
    .jsonValue({ maxDepth: 6, stringUnit: 'binary' })
    .filter((json) => !JSON.stringify(json).includes('__proto__'))
  fc.assert(
    fc.property(value, fc.nat(3), (json, indent) => {
      const text = JSON.stringify(json, null, indent)
      assert.deepEqual(parseJson(Buffer.from(text)), JSON.parse(text))
    }),
  )
})

test('the strict parser never throws anything but a refusal', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]":,\\ au1') })), (text) => {
      try {
        assert.deepEqual(parseJson(Buffer.from(text)), JSON.parse(text))
      } catch (error) {
        assert.ok(error instanceof Refusal)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('the strict parser takes time in proportion to the body', () => {
  // Half a megabyte of strings without, and of nothing but, backslashes: quadratic work would take minutes.
  const many = JSON.stringify(Array.from({ length: 100_000 }, () => 'ab'))
  const escaped = JSON.stringify(['\\"'.repeat(120_000)])
  for (const text of [many, escaped]) {
    const before = process.cpuUsage()
    parseJson(Buffer.from(text))
    assert.ok(process.cpuUsage(before).user < 1_000_000)
  }
})

type Answer = { status: number; headers: Headers; body: Record<string, unknown> }
type Line = Record<string, unknown>

async function serve(t: TestContext) {
  const lines: Line[] = []
  const server = createServer(t, (line) => lines.push(line))
  server.post('/payments', { schema: { body: Payment } }, async (request) => ({
    amount: request.body.amount,
    raw: request.rawBody.toString(),
  }))
  server.get('/payments/:id', async () => ({ ok: true }))
  server.get('/trace', async (request) => ({ traceparent: request.traceparent }))
  server.get('/fail', async () => {
    throw new Error('boom')
  })
  server.get('/refuse', async () => {
    throw new Refusal('rate_limited', { retryAfterSeconds: 7 })
  })
  server.get('/unauthorized', async () => {
    throw new Refusal('api_key_invalid')
  })
  const url = await server.listen({ port: 0, host: '127.0.0.1' })
  const send = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} }
  }
  return {
    send,
    post: (path: string, body: string) => send(path, { method: 'POST', body, headers: json }),
    port: Number(new URL(url).port),
    lines: () => lines,
  }
}

function createServer(t: TestContext, write: (line: Line) => void): HttpServer {
  const logger = pino({ base: null }, { write: (text: string) => write(JSON.parse(text)) })
  const server = createHttpServer({ logger, clock: systemClock, random: systemRandom, bodyLimit: 16 * 1024 })
  t.after(() => server.close())
  return server
}

function assertProblem(answer: Answer, status: number, code: string, field?: string): void {
  assert.equal(answer.status, status)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  const { title, detail, traceId, ...rest } = answer.body
  assert.deepEqual(rest, { type: `/errors/${code}`, status, code, ...(field === undefined ? {} : { field }) })
  assert.ok(typeof title === 'string' && title.length > 0)
  assert.ok(detail === undefined || typeof detail === 'string')
  assert.match(String(traceId), /^[0-9a-f]{32}$/)
}

/** What comes back for these bytes until the server closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (data) => {
      answer += data.toString()
    })
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}
