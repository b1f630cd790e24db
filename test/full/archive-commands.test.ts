import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowsOf } from '#harness/app'
import { openArchive } from '#harness/archive'
import { createDatabase } from '#harness/database'
import { until } from '#harness/until'
import { listSegments } from '#log/archive'
import { order, startTestPlatform } from '../flows/platform.ts'

const program = join(import.meta.dirname, '../../src/cli/main.ts')

test('operators archive, look, verify, read and replay what the log no longer has', async (t) => {
  const { url } = await createDatabase(t)
  const platform = await startTestPlatform(t, { databaseUrl: url })
  const { read: database } = platform.app.databases
  const archive = openArchive(t)
  const settings = { MILLRACE_ARCHIVE_DIR: archive.directory, MILLRACE_RETENTION_DAYS: '30' }
  const millrace = (args: string, env: Record<string, string> = settings) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...args.split(' ')], {
      cwd: archive.directory,
      env: { PATH: process.env.PATH, DATABASE_URL: url, ...env },
      encoding: 'utf8',
      timeout: 60_000,
    })
    return { out: stdout, err: stderr, code: status }
  }
  const pay = async (key: string): Promise<string> => {
    const { body } = await platform.pay(order, key)
    await platform.paymentThatIs('captured', body.id)
    await until('all is read', async () => (await rowsOf(database, UNREAD)).length === 0)
    return String(body.id)
  }

  const wrong: [args: string, env: Record<string, string>, line: RegExp][] = [
    ['archive', {}, /^There is no archive: set archive.dir or MILLRACE_ARCHIVE_DIR to a directory for it.\n$/],
    ['archive', { MILLRACE_RETENTION_DAYS: '30' }, /^retention.days needs archive.dir: /],
    [
      'archive',
      { ...settings, MILLRACE_RETENTION_DAYS: '0' },
      /^MILLRACE_RETENTION_DAYS must be a whole number of days/,
    ],
    [
      'archive',
      { MILLRACE_ARCHIVE_DIR: program },
      /^The archive .*main.ts cannot be written \(EEXIST\): set archive.dir/,
    ],
    ['events tail --since yesterday', settings, /^--since must be a time as in /],
  ]
  for (const [args, env, line] of wrong) {
    const { out, err, code } = millrace(args, env)
    assert.deepEqual([out, code], ['', 2], args)
    assert.match(err, line)
  }
  assert.equal(millrace('archive list').out, 'Nothing is archived.\n')

  const old = await pay('old')
  await rowsOf(database, `update log.record set time = time - interval '40 days'`)
  const first = millrace('archive')
  const [archived, dropped] = /archived: (\d+), dropped from the log: (\d+)/.exec(first.out)?.slice(1) ?? []
  assert.ok(Number(archived) > 5 && archived === dropped, first.out + first.err)
  assert.match(first.out, /^archived payments.inbox\/\d 0–0\n/)
  const young = await pay('young')
  assert.match(millrace('archive').out, /^Segments archived: 0, dropped from the log: 0, brought back to it: 0.\n$/)
  assert.match(millrace('archive list --topic ledger').out, /^PARTITION .*\nledger\/\d +0–\d.* dropped /)

  const shown = millrace(`events show ${old}`)
  assert.match(shown.out, /"type": "payment.requested"[\s\S]*"type": "payment.captured"/)
  assert.match(millrace(`events show ${old}`, {}).err, /^Not looked at: \d+ archived segments/)
  assert.match(millrace(`show payment ${old}`).err, /^Older events may be in the archive: millrace events show pay_/)
  const tailed = millrace('events tail --since 2020-01-01').out
  assert.match(tailed, new RegExp(`payment.captured ${old}[\\s\\S]*payment.captured ${young}`))
  assert.doesNotMatch(millrace(`events tail --since ${new Date().toISOString().slice(0, 10)}`).out, new RegExp(old))
  assert.match(millrace('replay ledger.balances').out, /^All the same: \d+ rows, rebuilt from 4 events /)
  assert.match(millrace('verify').out, /^All is well/)
  const verified = millrace('archive verify')
  assert.deepEqual([verified.code, verified.err], [0, ''])
  assert.match(verified.out, /^All is well: \d+ segments, \d+ events, \d+ bytes.\n$/)

  const [segment] = await listSegments(database)
  assert.ok(segment)
  await rename(archive.pathOf(segment), `${archive.pathOf(segment)}.jsonl.zst`)
  const damaged = millrace('archive verify')
  assert.equal(damaged.code, 1)
  assert.match(damaged.out, /^wrong: .* cannot be read\n1 findings in /)
  assert.match(damaged.err, /^warning: no segment names /)
})

const UNREAD = `select from log.checkpoint k join log.partition h on h.topic = k.topic and h.partition = k.partition
  where h.next_offset > k.next_offset`
