import assert from 'node:assert/strict'
import test from 'node:test'
import { killBetweenStatements } from '#harness/between-statements'
import { postgresEngine } from '#harness/log'

// Every point between two statements, where src/log takes a sample.
const STRIDE = 1

test('a process that dies after any statement leaves every effect once', async (t) => {
  const rounds = await killBetweenStatements(await postgresEngine.open(t), 'die', STRIDE)
  assert.ok(rounds * STRIDE > 50, `the scenario has ${rounds * STRIDE} points only`)
})

test('a process whose connections break after any statement leaves every effect once', async (t) => {
  const rounds = await killBetweenStatements(await postgresEngine.open(t), 'cut', STRIDE)
  assert.ok(rounds * STRIDE > 50, `the scenario has ${rounds * STRIDE} points only`)
})
