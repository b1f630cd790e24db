import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import { rowsOf } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { startOwnServer } from '#harness/own-server'
import { until } from '#harness/until'
import { openDatabase } from '#kernel/postgres-database'
import { examine } from '../../src/cli/doctor.ts'

// What is wrong with a PostgreSQL as a whole takes one of its own to break.

test('a server that can lose what it acknowledged, or fills its disk with WAL, is told', async (t) => {
  const server = await startOwnServer(t, {
    fsync: 'off',
    full_page_writes: 'off',
    archive_mode: 'on',
    archive_command: 'false',
  })
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const database = openDatabase({ url: server.url, connectionsMax: 1, applicationName: 'breaks it' })
  t.after(() => database.close())
  await rowsOf(database, `select pg_create_physical_replication_slot('forgotten', true)`)
  await rowsOf(database, `select pg_switch_wal()`)
  const failures = 'select failed_count > 0 as is_failing from pg_stat_archiver'
  await until('archiving fails', async () => (await rowsOf(database, failures))[0]?.is_failing === true)

  const program = join(import.meta.dirname, '../../src/cli/main.ts')
  const env = { PATH: process.env.PATH, DATABASE_URL: server.url }
  const options = { cwd: directory.path, env, encoding: 'utf8', timeout: 60_000 } as const
  const run = spawnSync(process.execPath, [program, 'doctor', '--json'], options)
  assert.deepEqual([run.status, run.stderr], [2, ''])
  assert.ok(JSON.parse(run.stdout).findings.some(({ check }: { check: string }) => check === 'durability'))

  const told = await examine({ cwd: directory.path, env: { DATABASE_URL: server.url } })
  const says = told.map(({ check, level, says }) => `${level} ${check}: ${says}`)
  for (const line of [
    /^problem durability: fsync is off: what was acknowledged can be lost$/,
    /^problem durability: full_page_writes is off/,
    /^warning replication slots: nobody reads the slot forgotten, which keeps \d+ MB of WAL on the disk$/,
    /^problem WAL archiving: archive_command fails \(\d+ times?\): WAL piles up on the disk$/,
    /^problem database: this database holds no Millrace yet$/,
  ]) {
    assert.ok(
      says.some((one) => line.test(one)),
      `${line} in:\n${says.join('\n')}`,
    )
  }
})
