<?php
// app/Http/Controllers/HooksController.php of a Laravel application. In routes/api.php, outside of the session and its CSRF
// check: Route::post('/fanfare', HooksController::class); the hooks' `url` is then https://shop.example/api/fanfare.

namespace App\Http\Controllers;

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;

class HooksController
{
    public function __invoke(Request $request): JsonResponse
    {
        $signature = hash_hmac('sha256', $request->getContent(), config('broadcasting.connections.pusher.secret'));
        if (!hash_equals($signature, $request->header('X-Pusher-Signature', ''))) {
            return response()->json(['message' => 'The signature is wrong.'], 401);
        }
        if (abs(time() - $request->json('time_ms') / 1000) > 300) {
            return response()->json(['message' => 'The question is too old.'], 401);
        }
        // An empty array is `{}`, not `[]`.
        return response()->json((object) match ($request->json('hook')) {
            'connect' => $this->connect($request),
            'subscribe' => $this->subscribe($request),
            'publish' => str_contains(json_encode($request->json('payload')), 'spam') ? ['drop' => true] : [],
            'call' => ['result' => ['plan' => $request->json('connection.meta.plan'), 'of' => $request->json('user.id')]],
            default => [],
        });
    }

    /**
     * The cookie came along: `forward: ["cookie"]`. A real application asks `$request->user()` of its session: for that its route
     * is in routes/web.php, with ->withoutMiddleware(ValidateCsrfToken::class), and the `url` without /api.
     */
    private function connect(Request $request): array
    {
        if (!preg_match('/^user-(\w+)$/', $request->cookie('session') ?? '', $found)) {
            return ['refuse' => ['message' => 'Log in first.']];
        }
        return ['user' => ['id' => $found[1]], 'meta' => ['plan' => 'pro'], 'cache_s' => 60, 'token' => true];
    }

    private function subscribe(Request $request): array
    {
        $mine = 'private-orders.' . $request->json('user.id');
        return $request->json('channel') === $mine ? [] : ['refuse' => ['code' => 'not_yours', 'message' => 'That is not yours.']];
    }
}
