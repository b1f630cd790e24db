import { UsageError } from './errors.ts'

export type TracingSettings = {
  /** Where an OTLP collector takes traces over HTTP. */
  readonly url: string
  readonly serviceName: string
  /** Share of the traces begun here that is recorded, 0 to 1. Those begun elsewhere are marked by whoever began them. */
  readonly ratio: number
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * What the standard OpenTelemetry variables ask for; undefined where they ask for no traces.
 * Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
 * @throws UsageError for a variable with a value that it cannot have.
 */
export function tracingSettings(env: Environment): TracingSettings | undefined {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return undefined
  const url = endpointOf(env)
  if (url === undefined) return undefined
  return { url, serviceName: env.OTEL_SERVICE_NAME || 'millrace', ratio: ratioOf(env) }
}

function endpointOf(env: Environment): string | undefined {
  const own = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  if (own) return address('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', own)
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT
  if (!base) return undefined
  return address('OTEL_EXPORTER_OTLP_ENDPOINT', base).replace(/\/*$/, '/v1/traces')
}

function address(name: string, text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text
  throw new UsageError(`${name} must be an http or https address.`)
}

/** The samplers that decide by the trace alone; each with `parentbased_` too, which is what is done in any case. */
const samplers: ReadonlyMap<string, (argument: number) => number> = new Map([
  ['always_on', () => 1],
  ['always_off', () => 0],
  ['traceidratio', (argument: number) => argument],
])

function ratioOf({ OTEL_TRACES_SAMPLER: name = '', OTEL_TRACES_SAMPLER_ARG: text = '' }: Environment): number {
  const sampler = samplers.get((name || 'traceidratio').replace(/^parentbased_/, ''))
  if (sampler === undefined) {
    throw new UsageError(
      `OTEL_TRACES_SAMPLER must be one of ${[...samplers.keys()].join(', ')}, or parentbased_ and one.`,
    )
  }
  const argument = text === '' ? 1 : Number(text)
  if (!(argument >= 0 && argument <= 1)) throw new UsageError('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1.')
  return sampler(argument)
}
