import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import test from 'node:test'
import { Client } from 'pg'
import { systemClock } from '#kernel/clock'

const starter = `
import { startTestServer } from '#harness/server'
const server = await startTestServer()
console.log(server.url)
process.stdin.resume().once('end', () => server.stop())`

type Started = { child: ChildProcess; ended: Promise<unknown>; dataDir: string; pid: number }

/** Starts a test server in a process of its own and learns from the server where it is. */
async function startElsewhere(): Promise<Started> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', starter], { cwd: import.meta.dirname })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve))
  const client = new Client({ connectionString: String(url).trim() })
  await client.connect()
  const { rows } = await client.query<{ dir: string; pid: string }>(
    `select current_setting('data_directory') as dir, split_part(pg_read_file('postmaster.pid'), e'\\n', 1) as pid`,
  )
  await client.end()
  return { child, ended, dataDir: rows[0]?.dir ?? '', pid: Number(rows[0]?.pid) }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function goneWithin(ms: number, { dataDir, pid }: Started): Promise<boolean> {
  const deadline = systemClock.monotonicMs() + ms
  while (isRunning(pid) || existsSync(dataDir)) {
    if (systemClock.monotonicMs() > deadline) return false
    await systemClock.sleep(20)
  }
  return true
}

test('a stopped test server leaves neither process nor files', async () => {
  const started = await startElsewhere()
  assert.ok(isRunning(started.pid) && existsSync(started.dataDir))
  started.child.stdin?.end()
  await started.ended
  assert.equal(await goneWithin(0, started), true)
})

test('a test server goes with its process, even when that is killed', async () => {
  const started = await startElsewhere()
  started.child.kill('SIGKILL')
  assert.equal(await goneWithin(5_000, started), true)
})
