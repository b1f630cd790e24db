export {
  type AcceptOutcome,
  createAcceptPayment,
  customerToken,
  detailsContext,
  type PaymentOffer,
  paymentMethodContext,
} from './accept-payment.ts'
export { createAcceptWebhook, type WebhookOffer } from './accept-webhook.ts'
export { createRateLimiter, type RateLimit } from './rate-limit.ts'
export { intakeRoutes } from './routes.ts'
