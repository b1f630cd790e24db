import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { books, millrace, read } from '../flows/exported-books.ts'
import { everyForgeryIsFound } from '../flows/forged-books.ts'

const DAY_MINUTES = 24 * 60

test('hundreds of forgeries in the books of an export are found', async (t) => {
  const { book, exported } = await books(t)
  await book('one', 'two', 'three')
  await everyForgeryIsFound(await read(await exported('all')), 400)
})

test('with events in the archive alone an export and a proof are checked with it, and say so without', async (t) => {
  const { app, book, exported } = await books(t, { minutesAgo: 40 * DAY_MINUTES })
  await book('one', 'two')
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const archive = join(directory.path, 'archive')
  const without = { DATABASE_URL: app.url }
  const settings = { ...without, MILLRACE_ARCHIVE_DIR: archive, MILLRACE_RETENTION_DAYS: '30' }
  const { code, out } = await millrace(['archive', '--all'], settings)
  assert.match(`${code} ${out.at(-1)}`, /^0 Segments archived: (\d+), dropped from the log: \1,/)

  const made = await exported('made')
  const partly = await millrace(['verify', '--export', made])
  assert.match(partly.out.join('\n'), /^warning: some entries are in the archive alone: .*\nAll is well: 66 entries/)
  const whole = await millrace(['verify', '--export', made, '--archive', archive])
  assert.match(whole.out.join('\n'), /^All is well: 66 entries, \d+ postings, [1-9]\d* blocks\.$/)

  const proof = await millrace(['proof', 'one-3'], settings)
  assert.match(proof.out.join('\n'), /^\{.*"entry": "\{.*entry\/one-3/s)
  const refused = await millrace(['proof', 'one-3'], without)
  assert.deepEqual(refused, {
    code: 2,
    out: ['The block of one-3 is in the archive alone: set MILLRACE_ARCHIVE_DIR to where it is.'],
  })
})
