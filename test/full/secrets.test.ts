import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sign } from '#gateways/stripe'
import { canaries, findCanaries, findCanariesBelow } from '#harness/canaries'
import { temporaryDirectory } from '#harness/directory'
import { stripeEvent } from '#harness/stripe-events'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'

// Gateway secrets as an operator keeps them: set by the command, named in the configuration, opened at start; with real
// processes, and every file they leave behind searched for them.

const program = join(import.meta.dirname, '../../src/cli/main.ts')
const { secret: apiKey = '', lowSecret: signingSecret = '' } = canaries

function installation(t: TestContext, gateways = '{}') {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const cwd = join(directory.path, 'operator')
  mkdirSync(cwd)
  writeFileSync(
    join(cwd, 'millrace.config.ts'),
    `export default { dataDir: '..', port: 0, logLevel: 'debug', gateways: ${gateways} }\n`,
  )
  const children: ChildProcess[] = []
  const written: string[] = []
  const launch = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, [program, ...args], { cwd, env: { PATH: process.env.PATH }, stdio: 'pipe' })
    t.after(() => child.kill('SIGKILL'))
    children.push(child)
    return child
  }
  return {
    directory: directory.path,
    written: () => written.join(''),
    launch(...args: string[]) {
      const child = launch(...args)
      const text = { out: '', err: '' }
      child.stdout?.on('data', (data) => {
        text.out += data
        written.push(String(data))
      })
      child.stderr?.on('data', (data) => {
        text.err += data
        written.push(String(data))
      })
      const ended = once(child, 'close').then(([code]: unknown[]) => ({ code, ...text }))
      return { child, text, ended }
    },
    /** Runs the command to its end, with that on its standard input. */
    async run(args: string[], input = '') {
      const { child, ended } = this.launch(...args)
      child.stdin?.end(input)
      return ended
    },
  }
}

const account = `{ main: { gateway: 'stripe', merchant: 'mer_1',
  webhookSecrets: [{ secret: 'STRIPE_HOOK' }], apiKey: { secret: 'STRIPE_KEY' } } }`

test('gateway secrets are set before the first start, used by name, and in clear nowhere', async (t) => {
  const millrace = installation(t, account)
  assert.deepEqual(await millrace.run(['secret', 'set', 'STRIPE_HOOK'], `${signingSecret}\n`), {
    code: 0,
    out: 'STRIPE_HOOK is set. It is used from the next start on.\n',
    err: '',
  })
  const early = await millrace.run(['start'])
  assert.deepEqual(
    [early.code, early.out, early.err],
    [
      2,
      '',
      'gateways.main.apiKey names the secret STRIPE_KEY, which is not set: run `millrace secret set STRIPE_KEY`.\n',
    ],
  )
  assert.equal((await millrace.run(['secret', 'set', 'STRIPE_KEY'], apiKey)).code, 0)

  const platform = millrace.launch('start')
  const isReady = (): boolean => platform.text.out.includes('Ctrl-C stops it.') || platform.child.exitCode !== null
  await until('the platform is ready', isReady, 60_000)
  const url = /ready: (\S+)/.exec(platform.text.out)?.[1] ?? ''
  assert.equal(await statusOfWebhook(url, signingSecret), 200, platform.text.err)
  assert.equal(await statusOfWebhook(url, 'whsec_another'), 400)
  const { out: listed } = await millrace.run(['secret', 'list'])
  assert.match(listed, /^NAME +SET\nSTRIPE_HOOK +20\S+Z\nSTRIPE_KEY +20\S+Z\n$/)
  assert.match((await millrace.run(['config'])).out, /"secret": "STRIPE_KEY"/)
  assert.equal((await millrace.run(['topology'])).code, 0)

  assert.equal((await millrace.run(['secret', 'remove', 'STRIPE_KEY'])).code, 0)
  const again = await millrace.run(['secret', 'remove', 'STRIPE_KEY'])
  assert.deepEqual([again.code, again.err], [1, 'No secret is set under STRIPE_KEY. See: millrace secret list\n'])
  const running = findCanariesBelow(millrace.directory)
  platform.child.kill('SIGINT')
  assert.equal((await platform.ended).code, 0)

  const stopped = findCanariesBelow(millrace.directory)
  assert.deepEqual([running.findings, stopped.findings], [[], []])
  assert.ok(stopped.bytes > 30_000_000)
  assert.deepEqual(findCanaries('output', Buffer.from(millrace.written())), [])
})

test('mistakes in setting a secret are told in one line, and nothing is set', async (t) => {
  const millrace = installation(t)
  const line = (name: string): string =>
    `The value of ${name} must be one line of 1 to 512 characters, without spaces around it, on standard input.\n`
  const rows: [args: string[], input: string, err: string][] = [
    [['secret', 'set', 'A'], 'one\ntwo\n', line('A')],
    [['secret', 'set', 'A'], '', line('A')],
    [['secret', 'set', 'a name'], 'x', 'NAME must be up to 64 letters, digits, _ and -.\n'],
    [['secret', 'set', 'A', apiKey], '', 'millrace secret set takes at most 1. Usage: millrace secret set NAME\n'],
  ]
  for (const [args, input, err] of rows) {
    assert.deepEqual(await millrace.run(args, input), { code: 2, out: '', err })
  }
  assert.equal((await millrace.run(['secret', 'list'])).out, 'NAME  SET\n')
})

async function statusOfWebhook(url: string, secret: string): Promise<number> {
  const body = JSON.stringify(stripeEvent('charge.succeeded', { id: 'ch_1', object: 'charge' }))
  const signature = sign(Buffer.from(body), secret, Math.floor(systemClock.now() / 1000))
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature }
  const answer = await fetch(`${url}/v1/gateways/stripe/main/webhooks`, { method: 'POST', headers, body })
  return answer.status
}
