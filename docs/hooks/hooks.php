<?php
// The back end of hooks in plain PHP: `php -S 127.0.0.1:8000 hooks.php`, with FANFARE_SECRET in the environment.

declare(strict_types=1);

$body = file_get_contents('php://input');
$signature = hash_hmac('sha256', $body, getenv('FANFARE_SECRET') ?: '');
if (!hash_equals($signature, $_SERVER['HTTP_X_PUSHER_SIGNATURE'] ?? '')) {
    http_response_code(401);
    exit;
}

$asked = json_decode($body, true, 512, JSON_THROW_ON_ERROR);
// An old question may have been recorded by somebody, and sent again.
if (abs(time() - $asked['time_ms'] / 1000) > 300) {
    http_response_code(401);
    exit;
}

/** Whose session the cookie names. A real application asks its session store. */
function user(): ?string
{
    return preg_match('/^user-(\w+)$/', $_COOKIE['session'] ?? '', $found) ? $found[1] : null;
}

function answer(string $hook, array $asked): array
{
    switch ($hook) {
        case 'connect':
            $id = user();
            if ($id === null) {
                return ['refuse' => ['message' => 'Log in first.']];
            }
            return ['user' => ['id' => $id], 'meta' => ['plan' => 'pro'], 'cache_s' => 60, 'token' => true];
        case 'subscribe':
            // An order is for the user that it is of.
            $mine = "private-orders.{$asked['user']['id']}";
            return $asked['channel'] === $mine ? [] : ['refuse' => ['code' => 'not_yours', 'message' => 'That is not yours.']];
        case 'publish':
            return str_contains(json_encode($asked['payload']), 'spam') ? ['drop' => true] : [];
        case 'call':
            return ['result' => ['plan' => $asked['connection']['meta']['plan'], 'of' => $asked['user']['id']]];
        default:
            return [];
    }
}

header('Content-Type: application/json');
// An empty array is `{}`, not `[]`.
echo json_encode((object) answer($asked['hook'], $asked), JSON_THROW_ON_ERROR);
