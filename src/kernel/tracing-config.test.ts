import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from './errors.ts'
import { tracingSettings } from './tracing-config.ts'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

test('without an endpoint, or switched off, nothing is traced', () => {
  const off = [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, { ...endpoint, OTEL_SDK_DISABLED: 'true' }]
  for (const env of [...off, { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }]) {
    assert.equal(tracingSettings(env), undefined)
  }
})

test('the base endpoint gets the path for traces; the endpoint of traces alone stands as it is', () => {
  const urlOf = (env: Record<string, string>): string | undefined => tracingSettings(env)?.url
  assert.equal(urlOf(endpoint), 'http://collector:4318/v1/traces')
  assert.equal(
    urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example/base/' }),
    'https://otel.example/base/v1/traces',
  )
  assert.equal(urlOf({ ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other/x' }), 'http://other/x')
})

test('samplers by name, with a share', () => {
  const ratioOf = (env: Record<string, string>): number | undefined => tracingSettings({ ...endpoint, ...env })?.ratio
  assert.equal(ratioOf({}), 1)
  assert.equal(ratioOf({ OTEL_TRACES_SAMPLER_ARG: '0.25' }), 0.25)
  assert.equal(ratioOf({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' }), 0.01)
  assert.equal(ratioOf({ OTEL_TRACES_SAMPLER: 'always_off', OTEL_TRACES_SAMPLER_ARG: '0.5' }), 0)
  assert.equal(ratioOf({ OTEL_TRACES_SAMPLER: 'parentbased_always_on' }), 1)
})

test('a wrong value is refused by the name of its variable, and not repeated', () => {
  const wrong = [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://secret'],
    ['OTEL_TRACES_SAMPLER', 'secret'],
    ['OTEL_TRACES_SAMPLER_ARG', '2 secret'],
  ] as const
  for (const [name, value] of wrong) {
    assert.throws(
      () => tracingSettings({ ...endpoint, [name]: value }),
      (error) => error instanceof UsageError && error.message.startsWith(name) && !error.message.includes('secret'),
    )
  }
})
