import assert from 'node:assert/strict'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { ObjectReport } from '#gateways/events'
import { refusals } from '#kernel/errors'
import type { EventType } from '#log'
import { createModules } from '../src/app.ts'
import { commands } from '../src/cli/commands.ts'
import { type Field, fieldsOf } from './described-fields.ts'
import { lineOf, paths, sources } from './repository.ts'

// Documents that say what the code says are kept equal to it, in both directions.

const pages = sources(/\.md$/)
const decisions = pages.filter(({ path }) => path.startsWith('docs/decisions/'))
const manifest = JSON.parse(textOf('package.json')) as {
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  optionalDependencies: Record<string, string>
}

test('docs/errors.md has every refusal, with its status and title, and no other', () => {
  const documented = rowsOf(textOf('docs/errors.md')).map(([code = '', status, title]) => [
    unquoted(code),
    { status: Number(status), title },
  ])
  assert.deepEqual(Object.fromEntries(documented), refusals)
  assert.equal(documented.length, Object.keys(refusals).length)
})

test('docs/errors.md says of every refusal when it comes and what to do', () => {
  const silent = rowsOf(textOf('docs/errors.md')).filter(([, , , when, what]) => !when || !what)
  assert.deepEqual(silent, [])
})

test('docs/events.md has every event type, with its topic, version, fields and seals, and no other', () => {
  const declared = eventTypes().map((of) => [of.type, declaredAs(of)] as const)
  assert.deepEqual(documentedEvents(), Object.fromEntries(declared))
})

test('docs/events.md has every field of every kind of report, and no other', () => {
  const kinds = ObjectReport.anyOf.map((report) => {
    const fields = fieldsOf(report, new Map()).filter(({ path }) => path !== 'kind')
    return [report.properties.kind.const, fields.map(lineOfField).sort()] as const
  })
  assert.deepEqual(documentedReports(kinds.map(([kind]) => kind)), Object.fromEntries(kinds))
})

test('every link to a file resolves', () => {
  const broken = pages.flatMap(({ path, text }) =>
    linksIn(text)
      .filter(({ to }) => !resolves(path, to))
      .map(({ to, line }) => `${path}:${line} ${to}`),
  )
  assert.deepEqual(broken, [])
})

test('every file a page names in code exists', () => {
  const named = /`((?:src|test|docs|scripts|bin|bench|examples)\/[A-Za-z0-9_./-]+\.(?:ts|js|sql|md|svg))`/g
  const missing = pages.flatMap(({ path, text }) =>
    [...text.matchAll(named)].flatMap(({ 1: file = '' }) => (paths.includes(file) ? [] : [`${path}: ${file}`])),
  )
  assert.deepEqual(missing, [])
})

test('every npm script a page names exists', () => {
  const commands = /\bnpm (?:run ([a-z:]+)|(test|start)\b)/g
  const unknown = pages.flatMap(({ path, text }) =>
    [...text.matchAll(commands)].flatMap(({ 1: run, 2: short }) => {
      const script = run ?? short ?? ''
      return script in manifest.scripts ? [] : [`${path}: npm run ${script}`]
    }),
  )
  assert.deepEqual(unknown, [])
})

test('every command a page names exists', () => {
  const known = new Set(commands.flatMap(({ name }) => [name, name.split(' ', 1)[0] ?? name]))
  const named = /(?:`|\bnpx |\$ )millrace ([a-z]+(?: [a-z]+)?)/g
  const unknown = pages.flatMap(({ path, text }) =>
    [...text.matchAll(named)].flatMap(({ 1: name = '' }) =>
      known.has(name) || known.has(name.split(' ', 1)[0] ?? '') ? [] : [`${path}: millrace ${name}`],
    ),
  )
  assert.deepEqual(unknown, [])
})

test('decisions are numbered without gaps, and say what they must', () => {
  const numbers = decisions.map(({ path }) => Number(/\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]))
  assert.deepEqual(
    numbers,
    numbers.map((_, place) => place + 1),
  )
  const parts = ['Context', 'Options', 'Decision', 'Consequences', 'What would change our mind']
  for (const [place, { path, text }] of decisions.entries()) {
    assert.match(text, new RegExp(`^# ${place + 1} · `), path)
    assert.match(text, /^Date: \d{4}-\d{2}-\d{2} · Status: (?:proposed|accepted|superseded by \d{4})$/m, path)
    assert.deepEqual(
      [...text.matchAll(/^## (.*)$/gm)].map(({ 1: title }) => title),
      parts,
      path,
    )
  }
})

test('every dependency has its reason in a decision', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
  const reasons = decisions.flatMap(({ text }) => rowsOf(text).map(([subject = '']) => subject)).join('\n')
  assert.deepEqual(
    names.filter((name) => !reasons.includes(`\`${name}\``)),
    [],
  )
})

test('the README of a module says what it owns, what it does not do, its invariants and its words', () => {
  const wanted = [/\bOwns\b/, /\b(?:Does not|Never does)\b/i, /\bInvariants\b/, /\bWords\b/]
  const modules = pages.filter(({ path }) => /^src\/.*README\.md$/.test(path))
  const silent = modules.flatMap(({ path, text }) =>
    wanted.filter((part) => !part.test(text)).map((part) => `${path}: ${part.source}`),
  )
  assert.deepEqual(silent, [])
})

function textOf(path: string): string {
  const [file] = sources(new RegExp(`^${path.replaceAll('.', '\\.')}$`))
  assert.ok(file, `${path} is there`)
  return file.text
}

/** The cells of every row of the tables of a page, but for their heads. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n')
  const isRow = (line: string | undefined): boolean => line?.startsWith('|') === true
  const isRule = (line: string | undefined): boolean => /^\|[-| :]+\|$/.test(line ?? '')
  return lines
    .filter((line, place) => isRow(line) && !isRule(line) && !isRule(lines[place + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
}

function unquoted(cell: string): string {
  return cell.replaceAll('`', '')
}

function eventTypes(): readonly EventType[] {
  return createModules([], { digest: () => '' }).flatMap(({ events }) => events)
}

type Described = { topic: string; version: number; fields: string[] }

function declaredAs({ topic, version, schema, sealed, type }: EventType): Described {
  const named = new Map<unknown, string>([[ObjectReport, 'reports']])
  if (type === 'gateway.payout_reported')
    for (const kind of ObjectReport.anyOf) named.set(kind, `${kind.properties.kind.const} reports`)
  const fields = fieldsOf(schema, named)
  return {
    topic,
    version,
    fields: fields.map((field) => `${lineOfField(field)}${sealed.includes(field.path) ? ' sealed' : ''}`).sort(),
  }
}

function lineOfField({ path, type }: Field): string {
  return `${path}: ${type}`
}

/** Sections of docs/events.md whose heading names event types, with the line and the table under it. */
function documentedEvents(): Record<string, Described> {
  const sections = textOf('docs/events.md').split(/^### /m).slice(1)
  return Object.fromEntries(
    sections.flatMap((section) => {
      const [heading = ''] = section.split('\n')
      const [, topic = '', version] = /^Topic `([^`]+)` · version (\d+) · key: ./m.exec(section) ?? []
      const fields = rowsOf(section.split(/^## /m)[0] ?? '').map(
        ([path = '', type, , sealed]) => `${unquoted(path)}: ${type}${sealed === 'yes' ? ' sealed' : ''}`,
      )
      const described = { topic, version: Number(version), fields: fields.sort() }
      return [...heading.matchAll(/`([^`]+)`/g)].map(({ 1: type = '' }) => [type, described])
    }),
  )
}

function documentedReports(kinds: readonly string[]): Record<string, string[]> {
  const [, section = ''] = textOf('docs/events.md').split(/^## Reports$/m)
  const rows = rowsOf(section)
  const of = (kind: string): string[] =>
    rows
      .filter(([, , named = '']) => named === 'all' || named.split(', ').includes(kind))
      .map(([path = '', type]) => `${unquoted(path)}: ${type}`)
      .sort()
  return Object.fromEntries(kinds.map((kind) => [kind, of(kind)]))
}

function linksIn(text: string): { to: string; line: number }[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)]
  return links
    .map(({ 1: markdown, 2: html, index }) => ({ to: markdown ?? html ?? '', line: lineOf(text, index) }))
    .filter(({ to }) => !/^[a-z]+:/.test(to))
}

function resolves(page: string, link: string): boolean {
  const [file = '', anchor] = link.split('#')
  const path = file === '' ? page : normalize(join(dirname(page), file)).replace(/\/$/, '')
  if (path === '.') return true
  const isThere = paths.includes(path) || paths.some((other) => other.startsWith(`${path}/`))
  return isThere && (anchor === undefined || !path.endsWith('.md') || anchorsOf(textOf(path)).includes(anchor))
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(({ 1: title = '' }) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
