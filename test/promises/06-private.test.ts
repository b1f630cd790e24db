import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { openApp } from '#harness/app'
import { archiveAll, openArchive } from '#harness/archive'
import { canaries, findCanaries, findCanariesBelow } from '#harness/canaries'
import { flyCanaries } from '#harness/canary-flight'
import { openHttp } from '#harness/http-server'
import { startOwnServer } from '#harness/own-server'
import { systemClock } from '#kernel/clock'

// Card numbers, names, addresses and secrets are put into every field of every request and webhook, and then looked for
// in all that PostgreSQL and we have written. Some of the canaries here; all of them, in every file, in test/full/canaries.test.ts.

test('canaries in every field are found nowhere', async (t) => {
  const server = await startOwnServer(t, { fsync: 'off' })
  const app = await openApp(t, { url: server.url })
  const http = await openHttp(t, app)
  const startedMs = systemClock.now()
  const flight = await flyCanaries(http, app, ['card', 'plainName', 'lowSecret', 'email'])
  assert.ok(
    (flight.answers.get(200) ?? 0) > 200 && (flight.answers.get(202) ?? 0) >= 12,
    'webhooks and payments were accepted',
  )
  assert.deepEqual(
    [...flight.answers.keys()].filter((status) => status >= 500),
    [],
  )

  await app.rows('checkpoint')
  const stored = findCanariesBelow(server.dataDir, startedMs)
  assert.ok(stored.files > 20)
  assert.deepEqual(stored.findings, [])
  const archive = openArchive(t)
  assert.ok((await archiveAll(app.databases.read, archive)).archived > 8)
  assert.deepEqual(findCanariesBelow(archive.directory).findings, [])
  const metrics = await (await fetch(`${http.url}/metrics`)).text()
  const written = { log: http.log(), 'log of PostgreSQL': server.log(), metrics, reports: JSON.stringify(app.reports) }
  for (const [where, text] of Object.entries(written)) assert.deepEqual(findCanaries(where, Buffer.from(text)), [])
  assert.ok(http.log().length > 10_000)
})

test('a leak that is planted in the database is found', async (t) => {
  const server = await startOwnServer(t, { fsync: 'off' })
  const app = await openApp(t, { url: server.url })
  const startedMs = systemClock.now()
  await app.rows('create table public.planted (text text)')
  await app.rows('insert into public.planted select $1 from generate_series(1, 3)', [`name: ${canaries.name}`])
  await app.rows('checkpoint')
  const { findings } = findCanariesBelow(server.dataDir, startedMs)
  assert.ok(findings.some(({ where, canary }) => canary === 'name' && where.startsWith('base')))
  assert.ok(findings.some(({ where, canary }) => canary === 'name' && where.startsWith('pg_wal')))
})

const disguises: [form: string, disguise: (text: string) => Buffer][] = [
  ['plain', (text) => Buffer.from(`x${text}x`)],
  ['base64', (text) => Buffer.from(Buffer.from(`x${text}x`).toString('base64'))],
  ['base64 at another place', (text) => Buffer.from(Buffer.from(`xy${text}x`).toString('base64'))],
  ['base64url at a third', (text) => Buffer.from(Buffer.from(`xyz${text}`).toString('base64url'))],
  ['hex', (text) => Buffer.from(Buffer.from(text).toString('hex'))],
  ['upper-case hex', (text) => Buffer.from(Buffer.from(text).toString('hex').toUpperCase())],
  ['escaped for a URL', (text) => Buffer.from(`?q=${encodeURIComponent(text)}`)],
  [
    'escaped in JSON',
    (text) => Buffer.from(JSON.stringify({ text }).replace(/[^ -~]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)),
  ],
  ['UTF-16', (text) => Buffer.from(text, 'utf16le')],
  ['gzip', (text) => Buffer.concat([Buffer.alloc(11, 1), gzipSync(`many words and ${text}`), Buffer.alloc(9, 2)])],
  ['Zstandard', (text) => Buffer.concat([Buffer.alloc(7, 3), zstdCompressSync(`many words and ${text}`)])],
  ['zlib', (text) => Buffer.concat([Buffer.alloc(7, 3), deflateSync(`many words and ${text}`), Buffer.alloc(5, 4)])],
]

test('a leak that is planted in a file is found in every disguise', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const [name, canary] of Object.entries(canaries)) {
    for (const [form, disguise] of disguises) {
      writeFileSync(join(directory, 'planted'), disguise(canary))
      const { findings } = findCanariesBelow(directory)
      assert.ok(
        findings.some((finding) => finding.canary === name),
        `${name} as ${form}`,
      )
    }
  }
})

test('a customer who was erased can be read nowhere any more', async (t) => {
  const app = await openApp(t)
  await app.start()
  const payments = await Promise.all(
    [1, 2, 3].map((n) => app.pay({ key: `k${n}`, customer: 'jane', description: 'for Jane' })),
  )
  const other = await app.pay({ key: 'other', customer: 'john', description: 'for John' })
  await app.settle()
  const opened = async (id: string) => {
    const rows = await app.rows<{ details: string; method: string }>(
      `select data ->> 'details' as details, data ->> 'paymentMethod' as method from log.event where key = $1 and type = 'payment.requested'`,
      [id],
    )
    const details = await app.app.seal.open(
      rows.map((row) => row.details),
      'main/payment.requested/details',
    )
    const method = await app.app.seal.open(
      rows.map((row) => row.method),
      'main/payment.requested/paymentMethod',
    )
    return [...details, ...method].map((plain) => plain?.toString())
  }
  for (const { id } of payments) assert.match(String((await opened(id))[0]), /for Jane/)
  assert.ok((await app.app.eraseCustomer('main', 'jane')) > 0)
  for (const { id } of payments) assert.deepEqual(await opened(id), [undefined, undefined])
  assert.match(String((await opened(other.id))[0]), /for John/)

  // What comes for the person afterwards is sealed under a key that nobody keeps.
  const late = await app.pay({ key: 'late', customer: 'jane', description: 'for Jane again' })
  await app.settle()
  assert.deepEqual(await opened(late.id), [undefined, undefined])
})
