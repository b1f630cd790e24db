import assert from 'node:assert/strict'
import { test } from 'node:test'
import { paths, sources } from './repository.ts'

// docs/failure.md makes claims about bad days: each has a test that sets one up, and an answer to every question.

const [page] = sources(/^docs\/failure\.md$/)
const cases = (page?.text ?? '').split('\n').filter((line) => /^\| (?!what happens|---)/.test(line))

test('every case says what is seen, done, left to do, and by which test it is shown', () => {
  assert.ok(cases.length > 40)
  const unfinished = cases.filter((line) => line.split(' | ').length !== 5 || / \|\s*\|/.test(line))
  assert.deepEqual(unfinished, [])
})

test('the last word of every case is a test that exists', () => {
  const shown = cases.map((line) => [...(line.split(' | ').at(-1) ?? '').matchAll(/\]\(\.\.\/([^)#]+\.test\.ts)\)/g)])
  const unshown = cases.filter((_, place) => shown[place]?.length === 0)
  assert.deepEqual(unshown, [])
  const missing = shown.flat().flatMap(({ 1: file = '' }) => (paths.includes(file) ? [] : [file]))
  assert.deepEqual(missing, [])
})
