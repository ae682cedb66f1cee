<?php

namespace App\Http\Controllers;

use App\User;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Hash;

/** All that Fanfare asks. The session is Laravel's: its cookie came along (`forward: ["cookie"]`). */
class HooksController
{
    public function __invoke(Request $request): JsonResponse
    {
        $signature = hash_hmac('sha256', $request->getContent(), config('fanfare.secret'));
        if (!hash_equals($signature, $request->header('X-Pusher-Signature', ''))) {
            return response()->json(['message' => 'The signature is wrong.'], 401);
        }
        return response()->json((object) $this->{$request->json('hook')}($request));
    }

    private function connect(Request $request): array
    {
        if ($request->json('query.guest')) return [];
        if (!$request->user()) return ['refuse' => ['message' => 'Log in first.']];
        return $this->identity($request->user()) + ['meta' => ['plan' => 'pro'], 'expires_at' => time() + 1];
    }

    private function authenticate(Request $request): array
    {
        $user = User::firstWhere('name', $request->json('data.name'));
        if (!$user || !Hash::check($request->json('data.password'), $user->password)) return ['refuse' => ['message' => 'Who?']];
        return $this->identity($user);
    }

    /** Before what `connect` said ends; a session of this application lasts. */
    private function refresh(Request $request): array
    {
        DB::table('asked')->insert(['hook' => 'refresh', 'user' => $request->json('user.id')]);
        return ['expires_at' => time() + 3600];
    }

    private function subscribe(Request $request): array
    {
        $mine = 'private-orders.' . $request->json('user.id');
        // To see who is in the hall without being seen is a matter of its own.
        if ($request->json('watch')) return ['watch' => $request->json('user.id') === 'guard', 'expires_at' => time() + 3600];
        if ($request->json('channel') === 'private-notices') return ['publish' => false];
        if ($request->json('channel') === 'private-trial') return ['expires_at' => time() + 1];
        return $request->json('channel') === $mine ? [] : ['refuse' => ['code' => 'not_yours', 'message' => 'That is not yours.']];
    }

    private function publish(Request $request): array
    {
        $text = $request->json('payload.text', '');
        if (str_contains($text, 'spam')) return ['drop' => true];
        return ['payload' => ['text' => str_replace('darn', '****', $text), 'by' => $request->json('user.id')]];
    }

    private function call(Request $request): array
    {
        return ['result' => ['plan' => $request->json('connection.meta.plan'), 'sum' => array_sum($request->json('data'))]];
    }

    private function disconnect(Request $request): array
    {
        DB::table('asked')->insert(['hook' => 'disconnect', 'user' => $request->json('user.id')]);
        return [];
    }

    private function identity(User $user): array
    {
        $info = array_filter(['name' => ucfirst($user->name), 'title' => $user->title]);
        $watch = $user->title === 'Director' ? ['presence-*'] : [];
        $identity = ['user' => ['id' => $user->name, 'info' => $info], 'channels' => ['presence-*'], 'watch' => $watch];
        // What a Director reads nobody has to subscribe to.
        return $identity + ['subscribe' => $watch ? ['private-board'] : []];
    }
}
