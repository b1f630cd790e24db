import assert from 'node:assert/strict'
import test from 'node:test'
import type { Clock } from '#kernel/clock'
import { createCircuit } from './circuit.ts'

function broken() {
  let time = 0
  const clock: Clock = { now: () => time, monotonicMs: () => time, sleep: async () => {} }
  const circuit = createCircuit(clock)
  for (let failure = 0; failure < 5; failure++) circuit.failed()
  const pass = (ms: number): void => {
    time += ms
  }
  return { circuit, pass }
}

test('five failures in a row open it for five seconds, four do not', () => {
  const { circuit, pass } = broken()
  assert.equal(circuit.admits(10), 0)
  assert.equal(circuit.opensInMs(), 5_000)
  pass(4_999)
  assert.equal(circuit.admits(10), 0)
  circuit.succeeded()
  for (let failure = 0; failure < 4; failure++) circuit.failed()
  assert.equal(circuit.admits(10), 10)
})

test('it lets one probe through, whose success closes it', () => {
  const { circuit, pass } = broken()
  pass(5_000)
  assert.equal(circuit.admits(10), 1)
  assert.equal(circuit.admits(10), 0)
  circuit.succeeded()
  assert.equal(circuit.admits(10), 10)
})

test('a probe that fails opens it again', () => {
  const { circuit, pass } = broken()
  pass(5_000)
  assert.equal(circuit.admits(10), 1)
  circuit.failed()
  assert.equal(circuit.admits(10), 0)
  pass(5_000)
  assert.equal(circuit.admits(10), 1)
})

test('a probe that found nothing to call leaves the next one free', () => {
  const { circuit, pass } = broken()
  pass(5_000)
  assert.equal(circuit.admits(10), 1)
  circuit.unused()
  assert.equal(circuit.admits(10), 1)
})
