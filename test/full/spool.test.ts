import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { type MillraceProcess, runMillrace } from '#harness/millrace'
import { startOwnServer } from '#harness/own-server'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'

// The spool with real processes: killed with it full, started with the database down, looked into from outside.

function run(t: TestContext, cwd: string, args: readonly string[], env: Record<string, string>): MillraceProcess {
  const settings = { MILLRACE_DATA_DIR: join(cwd, 'data'), MILLRACE_PORT: '0', ...env }
  return runMillrace(t, { cwd, args, settings })
}

async function start(t: TestContext, cwd: string, env: Record<string, string>) {
  const running = run(t, cwd, ['start'], env)
  const isReady = () => running.out().includes('Ctrl-C stops it.') || running.child.exitCode !== null
  await until('the platform is ready', isReady, 60_000)
  assert.equal(running.child.exitCode, null, running.err())
  return { ...running, url: running.url() }
}

function clientOf(t: TestContext, cwd: string) {
  const { fetch, close } = systemFetch(systemClock)
  t.after(close)
  const authorization = `Bearer ${readFileSync(join(cwd, 'data/api-key'), 'utf8').trim()}`
  const ask = async (url: string, method: string, path: string, idempotencyKey?: string) => {
    const body = '{"amount":1999,"currency":"EUR","merchant":"mer_main","payment_method":"pm_sim_approve"}'
    const sent = method === 'POST' ? { body } : {}
    const headers = {
      authorization,
      'content-type': 'application/json',
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    }
    const answer = await fetch({ method, url: `${url}${path}`, headers, timeoutMs: 10_000, ...sent })
    return { status: answer.status, body: JSON.parse(answer.body) }
  }
  return {
    pay: (url: string, idempotencyKey: string) => ask(url, 'POST', '/v1/payments', idempotencyKey),
    payment: (url: string, id: string) => ask(url, 'GET', `/v1/payments/${id}`),
  }
}

test('killed with the spool full and started without the database: all that was answered is done, once', async (t) => {
  const server = await startOwnServer(t)
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const cwd = directory.path
  const env = { DATABASE_URL: server.url }
  const first = await start(t, cwd, env)
  const client = clientOf(t, cwd)
  assert.equal((await client.pay(first.url, 'before')).status, 202)

  await server.kill()
  const ids = new Set<string>()
  for (let n = 0; n < 50; n++) {
    const { status, body } = await client.pay(first.url, `order-${n}`)
    assert.equal(status, 202)
    ids.add(body.id)
  }
  const lively = run(t, cwd, ['spool', 'status'], env)
  assert.equal(await lively.ended, 0)
  assert.match(lively.out(), / lives +50 /)
  // In the middle of a burst, so that some are answered, some written, and some neither.
  const burst = Array.from({ length: 200 }, async (_, n) => {
    const { status, body } = await client.pay(first.url, `burst-${n}`)
    assert.equal(status, 202)
    ids.add(body.id)
    if (ids.size === 100) first.child.kill('SIGKILL')
  })
  await Promise.allSettled(burst)
  await first.ended
  const answered = ids.size
  assert.ok(answered >= 100)
  const left = run(t, cwd, ['spool', 'status'], env)
  assert.equal(await left.ended, 0)
  const [, waiting] = /\n(\d+) requests and webhooks wait for the log\./.exec(left.out()) ?? []
  assert.ok(Number(waiting) >= answered, `${waiting} of ${answered} wait`)

  const second = await start(t, cwd, env)
  assert.match(second.out(), /the database is away, and what is accepted waits here/)
  const again = await client.pay(second.url, 'order-7')
  assert.equal(again.status, 202)
  ids.add(again.body.id)
  assert.equal(ids.size, answered)
  const later = await client.pay(second.url, 'after')
  ids.add(later.body.id)

  await server.restart()
  for (const id of ids) {
    const isCaptured = async () => (await client.payment(second.url, id)).body.status === 'captured'
    await until(`${id} is captured`, isCaptured, 60_000)
    assert.equal((await client.payment(second.url, id)).body.captured, 1999)
  }
  const drained = run(t, cwd, ['spool', 'status'], env)
  assert.equal(await drained.ended, 0)
  assert.match(drained.out(), /Nothing waits\.\n$/)
  second.child.kill('SIGTERM')
  assert.equal(await second.ended, 0)
  const verified = run(t, cwd, ['verify'], env)
  assert.equal(await verified.ended, 0, verified.out())
})

test('a spool in memory is refused in one line, and so is a directory that cannot be written', async (t) => {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  writeFileSync(join(directory.path, 'file'), '')
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
  for (const [dir, line] of [
    [
      '/dev/shm/millrace',
      /^The spool directory \/dev\/shm\/millrace lies in memory \(tmpfs\), which forgets: set .*\n$/,
    ],
    [
      join(directory.path, 'file/spool'),
      /^The spool directory .*\/file\/spool cannot be used: let this user read and write there.*\n$/,
    ],
  ] as const) {
    const refused = run(t, directory.path, ['start'], { ...env, MILLRACE_SPOOL_DIR: dir })
    assert.notEqual(await refused.ended, 0)
    assert.match(refused.err(), line)
  }
})
