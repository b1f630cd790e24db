import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Compile } from 'typebox/compile'
import { openEventSource } from '#harness/event-source'
import { until } from '#harness/until'
import { refusals } from '#kernel/errors'
import { type Example, examples } from '../../src/http/examples.ts'
import type { Operation } from '../../src/http/openapi.ts'
import { startTestPlatform, type TestPlatform } from './platform.ts'

type Document = {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

test('every example is answered as the document says', async (t) => {
  const platform = await startTestPlatform(t)
  const document = await documentOf(platform)
  const ids = new Map<string, string>()
  for (const example of examples) {
    const path = example.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids.get(name) ?? '')
    if (example.headers?.Accept === 'text/event-stream') {
      const headers = { ...example.headers, authorization: `Bearer ${platform.apiKey}` }
      assert.equal((await openEventSource(t, `${platform.url}${path}`, headers)).status, example.status)
      continue
    }
    const answer = await answerTo(platform, example, path)
    assert.equal(answer.status, example.status, `${example.summary}: ${JSON.stringify(answer.body)}`)
    if (example.status !== 204) {
      assert.deepEqual(mistakesIn(schemaOf(document, example), answer.body), [], example.summary)
    }
    if (example.names) ids.set(example.names, String(answer.body.id))
  }
})

test('the document has every address of the API, and says all of each', async (t) => {
  const platform = await startTestPlatform(t)
  const document = await documentOf(platform)
  assert.equal(document.openapi, '3.1.0')
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  )
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.deepEqual(
    ids.filter((id, place) => ids.indexOf(id) !== place),
    [],
  )
  for (const { name, path, operation } of operations) {
    assert.ok(operation.summary.length > 5, name)
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
    const declared = operation.parameters
      .filter((parameter) => parameter.in === 'path')
      .map((parameter) => parameter.name)
    assert.deepEqual(declared, inPath, name)
    const answers = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'))
    assert.ok(answers.length > 0, `${name} says what it answers`)
    for (const [status, { content }] of answers) {
      assert.ok(status === '204' || Object.keys(Object(content?.['application/json']?.schema)).length > 0, name)
    }
    const isOpen = operation.security.length === 0
    assert.equal(isOpen, !path.startsWith('/v1/') || path.startsWith('/v1/gateways/'), `${name} asks for a key`)
    if (!isOpen) assert.match(operation.responses['401']?.description ?? '', /api_key_invalid/)
  }
  const served = ['GET /v1/payments/{id}', 'POST /v1/payments', 'GET /v1/events', 'GET /v1/trial-balance']
  const names = operations.map(({ name }) => name)
  assert.deepEqual(
    served.filter((name) => !names.includes(name)),
    [],
  )
  for (const { route } of examples) assert.ok(names.includes(route.replaceAll(/:(\w+)/g, '{$1}')), route)
})

test('a problem is what the document says a problem is, and its type leads to an explanation', async (t) => {
  const platform = await startTestPlatform(t)
  const document = await documentOf(platform)
  const { status, body } = await platform.request('GET', '/v1/payments?limit=0')
  assert.equal(status, 400)
  assert.deepEqual(mistakesIn(document.components.schemas.Problem ?? {}, body), [])
  const explained = await platform.request('GET', String(body.type))
  assert.deepEqual([explained.status, explained.headers.location], [302, `/docs#refusal-${body.code}`])
  assert.equal((await platform.request('GET', '/errors/constructor')).status, 404)
})

test('the page shows the whole document without a script or a request to anywhere', async (t) => {
  const platform = await startTestPlatform(t)
  const document = await documentOf(platform)
  const { status, headers, body } = await platform.request('GET', '/docs', { headers: { authorization: '' } })
  const page = String(body.text)
  assert.deepEqual([status, headers['content-type']], [200, 'text/html; charset=utf-8'])
  assert.match(headers['content-security-policy'] ?? '', /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]+=*';/)
  assert.doesNotMatch(page, /<script|<link|<img|@import|url\(|\son\w+=|\sstyle=|="https?:/)
  for (const methods of Object.values(document.paths)) {
    for (const { operationId } of Object.values(methods)) {
      assert.ok(page.includes(`<section id="${operationId}">`), operationId)
      assert.ok(page.includes(`href="#${operationId}"`), operationId)
    }
  }
  for (const code of Object.keys(refusals)) assert.ok(page.includes(`<tr id="refusal-${code}">`), code)
})

async function documentOf(platform: TestPlatform): Promise<Document> {
  return (await platform.request('GET', '/openapi.json', { headers: { authorization: '' } }))
    .body as unknown as Document
}

/** What is booked takes a moment to be shown. */
async function answerTo(platform: TestPlatform, { route, headers = {}, body, status }: Example, path: string) {
  const send = () =>
    platform.request(route.split(' ', 1)[0] ?? '', path, { headers, ...(body ? { body: JSON.stringify(body) } : {}) })
  let answer = await send()
  if (route.startsWith('GET')) {
    await until(`${path} is there`, async () => {
      answer = await send()
      return answer.status === status
    })
  }
  return answer
}

function schemaOf(document: Document, { route, status }: Example): object {
  const [method = '', url = ''] = route.split(' ')
  const operation = document.paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
  return operation?.responses[status]?.content?.['application/json']?.schema ?? { not: {} }
}

/** Also fields that are answered and not documented: objects are closed for the comparison. */
function mistakesIn(schema: object, body: unknown): string[] {
  return Compile(closed(schema) as never)
    .Errors(body)
    .map(({ instancePath, message }) => `${instancePath} ${message}`)
}

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]))
  return 'properties' in schema && !('additionalProperties' in schema)
    ? { ...inner, additionalProperties: false }
    : inner
}
