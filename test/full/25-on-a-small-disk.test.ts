import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { until } from '#harness/until'
import { freeBytesOf } from '#http'

// Incident 25 on a file system of half a gigabyte, with all that `millrace start` keeps on it: somebody else's file grows
// under load until the door closes, and goes away again.

const MEGABYTE = 1024 ** 2
const DISK_BYTES = 640 * MEGABYTE
/** Less than the watermark, and enough for what was accepted. */
const LEFT_BYTES = 180 * MEGABYTE

const program = join(import.meta.dirname, '../../src/cli/main.ts')

test('a disk that fills up closes the door in time, loses nothing, and opens it again', async (t) => {
  const disk = mountSmallDisk(t)
  if (disk === undefined) return t.skip('skipped: file systems cannot be mounted here (it takes root and loop devices)')
  const platform = await start(t, disk)
  const accepted: string[] = []
  const pay = async (): Promise<string> => {
    const answer = await ask(platform.url, disk, { key: `order-${accepted.length}` })
    if (answer.id !== undefined) accepted.push(answer.id)
    return answer.told
  }
  for (let payment = 0; payment < 20; payment++) assert.equal(await pay(), '202')

  const filler = join(disk, 'filler')
  writeFileSync(filler, Buffer.alloc((await freeBytesOf(disk)) - LEFT_BYTES))
  await until('payments are refused', async () => (await pay()) === '503 disk_full')
  for (let again = 0; again < 5; again++) assert.equal(await pay(), '503 disk_full')
  const isCaptured = async (id: string): Promise<boolean> => (await statusOf(platform.url, disk, id)) === 'captured'
  const areCaptured = async (): Promise<boolean> => (await Promise.all(accepted.map(isCaptured))).every(Boolean)
  await until('what was accepted is captured', areCaptured)

  rmSync(filler)
  await until('payments are taken again', async () => (await pay()) === '202')
  await until('they are captured too', areCaptured)
  assert.ok((await freeBytesOf(disk)) > LEFT_BYTES)
  platform.child.kill('SIGTERM')
  assert.deepEqual(await platform.ended, [0, null])
})

/** Where it is mounted; undefined where this user may not. Gone with the test. */
function mountSmallDisk(t: TestContext): string | undefined {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const [image, place] = [join(directory.path, 'image'), join(directory.path, 'disk')]
  try {
    mkdirSync(place)
    writeFileSync(image, '')
    truncateSync(image, DISK_BYTES)
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image], { stdio: 'ignore' })
    execFileSync('mount', ['-o', 'loop', image, place], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  t.after(() => void execFileSync('umount', ['--lazy', place]))
  return place
}

async function start(t: TestContext, disk: string) {
  const env = { PATH: process.env.PATH, MILLRACE_DATA_DIR: disk, MILLRACE_PORT: '0', MILLRACE_LOG_LEVEL: 'error' }
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child: ChildProcess = spawn(process.execPath, [program, 'start'], { cwd: disk, env, stdio: [...stdio] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      text += data
    })
  }
  const ended = once(child, 'close')
  t.after(async () => {
    // Its PostgreSQL ends with it: a second signal within a second would be an echo of the first.
    if (child.exitCode === null) child.kill('SIGTERM')
    await ended
  })
  await until('it is ready', () => text.includes('Ctrl-C stops it.') || child.exitCode !== null, 60_000)
  const url = /ready: (\S+)/.exec(text)?.[1]
  assert.ok(url, text)
  return { child, url, ended }
}

function authorization(disk: string): { authorization: string } {
  return { authorization: `Bearer ${readFileSync(join(disk, 'api-key'), 'utf8').trim()}` }
}

async function ask(url: string, disk: string, { key }: { key: string }): Promise<{ told: string; id?: string }> {
  const headers = { ...authorization(disk), 'content-type': 'application/json', 'idempotency-key': key }
  const body = JSON.stringify({
    amount: 1000,
    currency: 'EUR',
    merchant: 'mer_main',
    payment_method: 'pm_sim_approve',
  })
  const answer = await fetch(`${url}/v1/payments`, { method: 'POST', headers, body })
  const { id, code }: { id?: string; code?: string } = JSON.parse(await answer.text())
  if (answer.ok && id !== undefined) return { told: String(answer.status), id }
  return { told: `${answer.status} ${code}` }
}

async function statusOf(url: string, disk: string, id: string): Promise<string | undefined> {
  const answer = await fetch(`${url}/v1/payments/${id}`, { headers: authorization(disk) })
  const { status }: { status?: string } = JSON.parse(await answer.text())
  return status
}
