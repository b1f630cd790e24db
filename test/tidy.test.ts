import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { excepting, isTestSupport, paths, places, root, sizeOf, sources } from './repository.ts'

// The house rules: what the compiler and the linter cannot say. A rule has no exceptions but those it lists, each with
// its reason; an exception that nothing needs any more fails too.

const FILE_LINES_MAX = 350
const FILE_BYTES_MAX = 1024 * 1024

const code = sources(/^src\/.*\.ts$/)
const shipped = code.filter(({ path }) => !path.endsWith('.test.ts') && !isTestSupport(path))
const tests = sources(/^(src|test)\/.*\.test\.ts$/)
const isCode = /^(src|test|bin|scripts|bench|examples)\/.*\.(ts|js|sql)$/

test(`no file is longer than ${FILE_LINES_MAX} lines`, () => {
  const long = sources(isCode).filter(({ text }) => text.split('\n').length > FILE_LINES_MAX + 1)
  const names = long.map(({ path }) => path)
  const found = excepting(names, {
    'src/gateways/stripe/map.test.ts':
      'one list of objects and what is made of each: cut in two, it is looked up in two',
  })
  assert.deepEqual(found, [])
})

test('no file has a name that says nothing', () => {
  const vague = /(^|\/)(utils?|helpers?|common|lib|misc|shared)(\.|\/|$)/
  assert.deepEqual(
    paths.filter((path) => isCode.test(path) && vague.test(path)),
    [],
  )
})

test('files are named in kebab-case', () => {
  assert.deepEqual(
    paths.filter((path) => isCode.test(path) && /[^a-z0-9./-]/.test(path)),
    [],
  )
})

test('what is left to do has a number', () => {
  const files = sources(/^(src|test|bin|scripts|bench|docs|examples)\/.*\.(ts|js|sql|md)$|^[A-Z]+\.md$/)
  assert.deepEqual(places(files, /\b(?:TO[D]O|FIX[M]E|X[X]X:)(?!\s*\(?#?\d)/g), [])
})

test('time comes from the injected clock', () => {
  const clocks = /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bset(?:Timeout|Interval)\(|'node:timers/g
  const found = excepting(places(shipped, clocks), {
    'src/kernel/clock.ts': 'the clock itself',
    'src/kernel/postgres-database.ts': 'the pause before a listening session connects again: no caller waits for it',
  })
  assert.deepEqual(found, [])
})

test('chance comes from the injected source', () => {
  const found = excepting(
    places(shipped, /\bMath\.random\b|\brandom(?:Bytes|UUID|Int|FillSync)\(|\bgetRandomValues\b/g),
    {
      'src/kernel/random.ts': 'the source itself',
      'src/kernel/postgres/cluster.ts': 'the password of an embedded server, made before there is an app',
    },
  )
  assert.deepEqual(found, [])
})

test('SQL stands in the files made for it', () => {
  const elsewhere = shipped.filter(({ path }) => !/(^|\/)(sql|[a-z-]+-sql)\.ts$|\/sql\/[^/]+\.ts$/.test(path))
  const found = excepting(places(elsewhere, /\bstatement\(\s*(?=['`])/g), {
    'src/kernel/migrate.ts': 'the bookkeeping of migrations',
    'src/log/browse.ts': 'questions of operators, apart from what the loops run',
    'src/log/parked.ts': 'what operators see and ask of parked keys, beside what is done about it',
    'src/log/notify.ts': 'the one NOTIFY',
  })
  assert.deepEqual(found, [])
})

test('SQL reads time through log.now() alone', () => {
  const reading =
    /\b(?:clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\(\)|\bcurrent_(?:timestamp|time|date)\b|\blocaltime(?:stamp)?\b|(?<![\w.])now\(\)/g
  const withSql = code.filter(({ text }) => /\bstatement\(\s*['`]/.test(text))
  const found = excepting(places([...withSql, ...sources(/^src\/.*\.sql$/)], reading), {
    'src/log/migrations/001-log.sql': 'defines log.now()',
    'src/kernel/migrate.ts': 'when a migration was applied: written before log.now() exists, read by people only',
  })
  assert.deepEqual(found, [])
})

test('migrations are numbered without gaps, and each says what it locks', () => {
  const migrations = sources(/^src\/.*\/migrations\/.*\.sql$/)
  for (const folder of new Set(migrations.map(({ path }) => dirname(path)))) {
    const own = migrations.filter(({ path }) => dirname(path) === folder)
    const numbers = own.map(({ path }) => Number(/\/(\d{3})-[^/]+$/.exec(path)?.[1]))
    assert.deepEqual(
      numbers,
      numbers.map((_, place) => place + 1),
      folder,
    )
  }
  assert.deepEqual(
    migrations.filter(({ text }) => !/^--[^\n]*\block/.test(text)).map(({ path }) => path),
    [],
  )
})

test('the names of the tests of a file are all different', () => {
  const repeated = tests.flatMap(({ path, text }) => repeatedIn(namesOfTests(text)).map((name) => `${path}: ${name}`))
  assert.deepEqual(repeated, [])
})

test('no test stands alone or is put off', () => {
  assert.deepEqual(places(tests, /\b(?:test|describe|it)\.(?:only|todo|skip)\b/g), [])
})

test('only promises and incidents are numbered, by the list they answer to', () => {
  const numbered = tests.filter(({ path }) => /(^|[/-])\d+(-|\.test\.ts$)/.test(path.replace(/^.*\//, '/')))
  const listed = /^test\/(?:promises|incidents|full)\/\d\d-/
  assert.deepEqual(
    numbered.filter(({ path }) => !listed.test(path)).map(({ path }) => path),
    [],
  )
})

test('no test sleeps for a fixed time', () => {
  const sleeping = /\bsetTimeout\([^)]*\d\s*\)|\bsleep\(\s*[\d_]+\s*\)|'node:timers\/promises'/g
  const found = excepting(places(tests, sleeping), {
    'test/harness/server.test.ts': 'looks again until a process is gone, with a deadline',
    'src/delivery/deliverer.test.ts':
      'a circuit open for five seconds, and a second in which nothing may spin, are real',
    'src/log/database-killed.test.ts': 'writers that lost the database wait a moment before they try again',
  })
  assert.deepEqual(found, [])
})

test('nothing in the repository is binary or over a megabyte', () => {
  assert.deepEqual(
    paths.filter((path) => sizeOf(path) > FILE_BYTES_MAX),
    [],
  )
  assert.deepEqual(
    paths.filter((path) => readFileSync(join(root, path)).includes(0)),
    [],
  )
})

test('dependencies have exact versions', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
  const versions = kinds.flatMap((kind) => Object.entries(manifest[kind] ?? {}))
  assert.deepEqual(
    versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  )
})

function namesOfTests(text: string): string[] {
  return [...text.matchAll(/^\s*(?:await )?(?:t\.)?test\(\s*(['"`])(.*?)\1/gm)].map(({ 2: name = '' }) => name)
}

function repeatedIn(names: readonly string[]): string[] {
  return names.filter((name, place) => names.indexOf(name) !== place)
}
