import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { createInstruments } from '#http'
import { spanKinds } from '#kernel/tracing'
import { sources } from './repository.ts'

// docs/observability.md says what is measured and traced: it is kept equal to the code, in both directions.

const [page] = sources(/^docs\/observability\.md$/)

test('docs/observability.md has every metric, with its type, labels and help, and no other', () => {
  const registry = new Registry()
  createInstruments(registry)
  const declared = registry.getMetricsAsArray().map((metric) => ({
    name: metric.name,
    type: String(metric.type),
    labels: 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [],
    help: metric.help,
  }))
  const documented = rowsUnder('| metric |').map(([name = '', type = '', labels = '', help = '']) => {
    return { name: unquoted(name), type, labels: unquoted(labels).split(', ').filter(Boolean), help }
  })
  assert.deepEqual(byName(documented), byName(declared))
})

test('metrics are named after what Prometheus asks of names', () => {
  const registry = new Registry()
  createInstruments(registry)
  for (const { name, type } of registry.getMetricsAsArray()) {
    assert.match(name, /^millrace_[a-z]+(?:_[a-z]+)*$/)
    assert.equal(name.endsWith('_total'), String(type) === 'counter', name)
    assert.ok(String(type) !== 'histogram' || name.endsWith('_seconds'), name)
  }
})

test('docs/observability.md has every kind of span, and no other', () => {
  const documented = rowsUnder('| span |').map(([name = '', kind]) => [unquoted(name), kind])
  assert.deepEqual(Object.fromEntries(documented), spanKinds)
  assert.equal(documented.length, Object.keys(spanKinds).length)
})

test('docs/observability.md has every attribute that a span may carry, and no other', () => {
  const [code] = sources(/^src\/kernel\/tracing\.ts$/)
  const [, type = ''] = /export type SpanAttributes = \{(.*?)\n\}/s.exec(code?.text ?? '') ?? []
  const declared = [...type.matchAll(/'([a-z._]+)'\?:/g)].map(([, name]) => name)
  const documented = rowsUnder('| attribute |').flatMap(([names = '']) => unquoted(names).split(', '))
  assert.ok(declared.length > 0)
  assert.deepEqual(documented.sort(), declared.sort())
})

/** The rows of the table that has this head. */
function rowsUnder(head: string): string[][] {
  const lines = (page?.text ?? '').split('\n')
  const first = lines.findIndex((line) => line.startsWith(head)) + 2
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'))
  return lines.slice(first, first + length).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

function unquoted(cell: string): string {
  return cell.replaceAll('`', '')
}

function byName<Named extends { readonly name: string }>(list: readonly Named[]): Named[] {
  return list.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}
