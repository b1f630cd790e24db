import assert from 'node:assert/strict'
import test from 'node:test'
import { Client } from 'pg'
import { acquireServer, createDatabase } from './database.ts'

type Ending = () => Promise<void>

/** A test's end that can be brought about at will. */
function endable(): { after(work: Ending): void; end: Ending } {
  const works: Ending[] = []
  return {
    after: (work) => void works.push(work),
    end: async () => {
      for (const work of works) await work()
    },
  }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const databaseOf = (url: string): string => new URL(url).pathname.slice(1)

async function exists(url: string): Promise<boolean> {
  const rows = await query(await acquireServer(), `select from pg_database where datname = '${databaseOf(url)}'`)
  return rows.length > 0
}

test('two databases know nothing of each other', async (t) => {
  const [one, other] = [await createDatabase(t), await createDatabase(t)]
  await query(one.url, 'create table only_here ()')
  assert.deepEqual(await query(other.url, `select to_regclass('only_here') as found`), [{ found: null }])
})

test('a template is filled once, however many ask at the same time', async (t) => {
  let fillings = 0
  const template = async (url: string): Promise<void> => {
    fillings++
    await query(url, 'create table filled as select 7 as answer')
  }
  const databases = await Promise.all(Array.from({ length: 5 }, () => createDatabase(t, { template })))
  for (const { url } of databases) assert.deepEqual(await query(url, 'select answer from filled'), [{ answer: 7 }])
  assert.equal(fillings, 1)
})

test('a template that failed half-way is not used', async (t) => {
  let fillings = 0
  const template = async (url: string): Promise<void> => {
    await query(url, 'create table half ()')
    if (++fillings === 1) throw new Error('the first filling breaks off')
  }
  await assert.rejects(createDatabase(t, { template, templateName: 'breaks' }), /breaks off/)
  const { url } = await createDatabase(t, { template, templateName: 'breaks' })
  assert.deepEqual(await query(url, `select to_regclass('half')::text as found`), [{ found: 'half' }])
})

test('a filling that leaves its connection open does not spoil the template', async (t) => {
  const left: Client[] = []
  const template = async (url: string): Promise<void> => {
    const client = new Client({ connectionString: url })
    client.on('error', () => {})
    left.push(client)
    await client.connect()
  }
  await createDatabase(t, { template })
  await createDatabase(t, { template })
  await Promise.all(left.map((client) => client.end()))
})

test('what the test closes at its end is closed before the database is dropped', async () => {
  const t = endable()
  const { url } = await createDatabase(t)
  t.after(async () => assert.equal(await exists(url), true))
  await t.end()
  assert.equal(await exists(url), false)
})

test('the database is dropped when the test ends, though a connection is still open', async () => {
  const t = endable()
  const { url } = await createDatabase(t)
  const client = new Client({ connectionString: url })
  const cut = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  await t.end()
  await cut
  assert.equal(await exists(url), false)
})
