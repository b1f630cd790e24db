import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { until } from '#harness/until'
import { order, startTestPlatform } from './platform.ts'

const examples = join(import.meta.dirname, '../../docs/examples')

test('the example that lists payments lists all of them', async (t) => {
  const platform = await startTestPlatform(t)
  const ids = await Promise.all(
    Array.from({ length: 3 }, async (_, n) => {
      const { id } = (await platform.pay({ ...order, amount: 100 + n }, `key-${n}`)).body
      await platform.paymentThatIs('captured', id)
      return id
    }),
  )
  const { out } = await run('sh', [join(examples, 'list-all-payments.sh'), platform.url, platform.apiKey])
  assert.deepEqual(out.trim().split('\n').sort(), ids.map((id, n) => `${id} ${100 + n} EUR`).sort())
})

test('the example that follows events goes on where it stopped', async (t) => {
  const platform = await startTestPlatform(t)
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const place = join(directory.path, 'place.txt')
  const follow = () =>
    run(process.execPath, [
      join(examples, 'follow-events.ts'),
      platform.url,
      platform.apiKey,
      place,
      'payment.captured',
    ])

  const first = follow()
  await until('it has begun', () => contentOf(place) !== '')
  const one = (await platform.pay(order, 'one')).body.id
  assert.match((await first).out, new RegExp(`payment\\.captured ${one}`))
  const two = (await platform.pay(order, 'two')).body.id
  await platform.paymentThatIs('captured', two)
  const { out } = await follow()
  assert.match(out, new RegExp(`payment\\.created ${two}\n[^]*payment\\.captured ${two}`))
  assert.doesNotMatch(out, new RegExp(`payment\\.captured ${one}`))
})

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function run(command: string, args: readonly string[]): Promise<{ out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 30_000 })
    let out = ''
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text: string) => {
      out += text
    })
    child.on('error', reject)
    child.on('exit', (code) =>
      code === 0 ? resolve({ out }) : reject(new Error(`${command} ended with ${code}: ${out}`)),
    )
  })
}
