import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { createInstruments } from '#http'
import { commands } from '../src/cli/commands.ts'
import { sources } from './repository.ts'

// At three in the morning nobody guesses what a page meant: what docs/runbook.md names is there.

const [page] = sources(/^docs\/runbook\.md$/)
const text = page?.text ?? ''

test('every metric that the runbook alarms on is measured', () => {
  const registry = new Registry()
  createInstruments(registry)
  const measured = new Set(registry.getMetricsAsArray().map(({ name }) => name))
  const named = [...text.matchAll(/\bmillrace_[a-z_]+/g)].map(([name]) => name.replace(/_seconds_count$/, '_seconds'))
  // The name of a replication slot looks like one.
  const missing = named.filter((name) => !measured.has(name) && name !== 'millrace_backup')
  assert.ok(named.length > 10)
  assert.deepEqual(missing, [])
})

test('every option that the runbook gives a command is one of it', () => {
  const calls = [...text.matchAll(/(?:`|npx )millrace ((?:[a-z]+ ?)+)([^`\n]*)/g)]
  const wrong = calls.flatMap(([line, words = '', rest = '']) => {
    const command = commands
      .filter(({ name }) => `${words.trim()} `.startsWith(`${name} `))
      .toSorted((a, b) => b.name.length - a.name.length)[0]
    const options = [...rest.matchAll(/(?<=^| )--([a-z]+)/g)].map(([, option = '']) => option)
    const isKnown = command && options.every((option) => Object.hasOwn(command.options ?? {}, option))
    return isKnown || words.trim() === 'start' ? [] : [line]
  })
  assert.ok(calls.length > 20)
  assert.deepEqual(wrong, [])
})

test('every alarm leads to a page, and every page but the first and last is led to', () => {
  const pages = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title)
  const ledTo = new Set([...text.matchAll(/\]\(#([a-z-]+)\)/g)].map(([, anchor]) => anchor))
  const anchor = (title: string): string => title.toLowerCase().replaceAll(' ', '-').replaceAll(',', '')
  const alone = ['First, always', 'A secret or an API key is out', 'Somebody must be forgotten', 'After it']
  assert.deepEqual(
    pages.filter((title) => !ledTo.has(anchor(title))),
    alone,
  )
})
