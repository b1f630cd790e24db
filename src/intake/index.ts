export { createAcceptOperation, type OperationOffer } from './accept-operation.ts'
export {
  type AcceptOutcome,
  createAcceptPayment,
  customerToken,
  detailsContext,
  type PaymentOffer,
  paymentMethodContext,
} from './accept-payment.ts'
export { createAcceptWebhook, type WebhookOffer } from './accept-webhook.ts'
export { operationRoutes } from './operation-routes.ts'
export { createRateLimiter, type RateLimit } from './rate-limit.ts'
export { intakeRoutes } from './routes.ts'
export type { WhenDecided } from './wait.ts'
