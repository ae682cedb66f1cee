<?php

namespace Fanfare\Laravel\Http;

use Closure;
use Fanfare\Laravel\Api\Credentials;
use Illuminate\Http\Request;

/** Lets through what the server signed with the app's secret: hooks and webhooks. */
final class VerifySignature
{
    public function __construct(private readonly Credentials $credentials) {}

    public function handle(Request $request, Closure $next): mixed
    {
        $isOurs = hash_equals($this->credentials->key(), (string) $request->header('X-Pusher-Key'));
        // Over the body as it came.
        $isSigned = $this->credentials->isSigned($request->getContent(), (string) $request->header('X-Pusher-Signature'));
        if (! $isOurs || ! $isSigned) {
            return response()->json(['message' => 'X-Pusher-Key or X-Pusher-Signature is not that of this app.'], 401);
        }

        return $next($request);
    }
}
