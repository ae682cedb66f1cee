<?php

use App\Http\Controllers\HooksController;
use App\Http\Controllers\ShopController;
use Illuminate\Support\Facades\Route;

Route::post('/fanfare', HooksController::class);
Route::post('/login/{name}', [ShopController::class, 'login']);
Route::post('/users/{name}/title/{title}', [ShopController::class, 'promote']);
Route::post('/orders/{id}', [ShopController::class, 'order']);
Route::get('/asked/{hook}', [ShopController::class, 'asked']);
Route::get('/auth', [ShopController::class, 'auth']);
Route::match(['get', 'post'], '/admin/{path}', [ShopController::class, 'administer'])->where('path', '.*');
