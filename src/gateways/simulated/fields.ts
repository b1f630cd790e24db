import { parseCurrency } from '#kernel/currency'
import { BankRefusal, type CaptureMethod, type Metadata } from './objects.ts'

// Reading the fields of a request's body, with Stripe's error codes.

export function amountOf(value: unknown, param: string): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw refusal('parameter_invalid_integer', param, 'must be a positive whole number')
}

export function currencyOf(value: unknown): string {
  const code = textOf(value, 'currency', 'parameter_missing_currency').toLowerCase()
  if (parseCurrency(code.toUpperCase()) !== undefined) return code
  throw refusal('invalid_currency', 'currency', 'must be an ISO 4217 code')
}

export function captureMethodOf(value: unknown): CaptureMethod {
  if (value === undefined || value === 'automatic') return 'automatic'
  if (value === 'manual') return 'manual'
  throw refusal('parameter_invalid_capture_method', 'capture_method', 'must be automatic or manual')
}

export function textOf(value: unknown, param: string, code: string): string {
  if (typeof value === 'string') return value
  throw refusal(code, param, 'must be a text')
}

const metadataKeysMax = 50

export function metadataOf(value: unknown): Metadata {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null) {
    throw refusal('parameter_invalid_metadata', 'metadata', 'must be an object of texts')
  }
  const metadata: Record<string, string> = {}
  for (const [name, text] of Object.entries(value).slice(0, metadataKeysMax)) {
    if (typeof text === 'string' && name !== '__proto__') metadata[name] = text
  }
  return metadata
}

export function refusal(code: string, param: string, what: string): BankRefusal {
  return new BankRefusal(code, { param, message: `${param} ${what}.` })
}
