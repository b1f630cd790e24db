export {
  type AcceptOutcome,
  type AcceptPorts,
  createAcceptPayment,
  customerToken,
  detailsContext,
  type PaymentOffer,
} from './accept-payment.ts'
export { createAcceptWebhook, type OpenedWebhook, type WebhookOffer } from './accept-webhook.ts'
export type { Remembered } from './memory.ts'
export { createRateLimiter, type RateLimit } from './rate-limit.ts'
export { type IntakePorts, intakeRoutes } from './routes.ts'
