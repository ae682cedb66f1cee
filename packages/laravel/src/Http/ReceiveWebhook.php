<?php

namespace Fanfare\Laravel\Http;

use Fanfare\Laravel\Webhooks\WebhookEvent;
use Fanfare\Laravel\Webhooks\WebhookEvents;
use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Http\Response;

/** The route of webhooks: each of their events becomes one of Laravel's. If a listener throws, the server sends all of them again. */
final class ReceiveWebhook
{
    public function __construct(private readonly Dispatcher $events) {}

    public function __invoke(Request $request): Response|JsonResponse
    {
        $webhook = json_decode($request->getContent(), true);
        if (! is_int($webhook['time_ms'] ?? null) || ! is_array($webhook['events'] ?? null)) {
            return new JsonResponse(['message' => 'The body is no webhook.'], 400);
        }
        foreach ($webhook['events'] as $event) {
            $this->events->dispatch(WebhookEvents::of($event, $webhook['time_ms']));
        }

        return new Response('', 204);
    }
}
