// Convolution and locally connected layers of the convolution library (spec 6.4, formulas: spec 3.1).
//
// images: (numImgColors * imgPixels, cases), filters: (filterColors * filterPixels, filters), of local layers
// (modules * filterColors * filterPixels, filters), hidActs and forward targets: (filters * modules, cases), all of
// either storage order. paddingStart is the first window's position, <= 0. Dense groups: filterColors = numImgColors /
// numGroups; sparse ones see the channels that dColorIndices, (numGroups x numFilterColors) in device memory, lists.
// target = scaleTargets * target + scaleOutput * result; with scaleTargets 0 it is resized and its old content not
// read.
#pragma once

#include "conv_util.cuh"

void convFilterActs(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int numModulesY,
                    int numModulesX, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                    float scaleTargets = 0, float scaleOutput = 1);
void convImgActs(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int imgSizeX,
                 int numModulesY, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                 float scaleTargets = 0, float scaleOutput = 1);
// partialSum > 0: modules / partialSum partial matrices below each other, each over that many modules.
void convWeightActs(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, int imgSizeY, int numModulesY,
                    int numModulesX, int filterSize, int paddingStart, int moduleStride, int numImgColors,
                    int numGroups, int partialSum, float scaleTargets = 0, float scaleOutput = 1);

void convFilterActsSparse(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                          int imgSizeY, int numModulesY, int numModulesX, int paddingStart, int moduleStride,
                          int numImgColors, int numFilterColors, int numGroups, float scaleTargets = 0,
                          float scaleOutput = 1);
// targets: one image set for each round of overSample, (rounds * numImgColors * imgPixels, cases).
void convImgActsSparse(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                       int imgSizeY, int imgSizeX, int numModulesY, int paddingStart, int moduleStride,
                       int numImgColors, int numFilterColors, int numGroups, float scaleTargets = 0,
                       float scaleOutput = 1);
void convWeightActsSparse(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, const int* dColorIndices,
                          int imgSizeY, int numModulesY, int numModulesX, int filterSize, int paddingStart,
                          int moduleStride, int numImgColors, int numFilterColors, int numGroups, int partialSum,
                          float scaleTargets = 0, float scaleOutput = 1);

void localFilterActs(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int numModulesY,
                     int numModulesX, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                     float scaleTargets = 0, float scaleOutput = 1);
void localImgActs(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int imgSizeX,
                  int numModulesY, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                  float scaleTargets = 0, float scaleOutput = 1);
void localWeightActs(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, int imgSizeY, int numModulesY,
                     int numModulesX, int filterSize, int paddingStart, int moduleStride, int numImgColors,
                     int numGroups, float scaleTargets = 0, float scaleOutput = 1);

void localFilterActsSparse(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                           int imgSizeY, int numModulesY, int numModulesX, int paddingStart, int moduleStride,
                           int numImgColors, int numFilterColors, int numGroups, float scaleTargets = 0,
                           float scaleOutput = 1);
// targets: one image set for each round of overSample, (rounds * numImgColors * imgPixels, cases).
void localImgActsSparse(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                        int imgSizeY, int imgSizeX, int numModulesY, int paddingStart, int moduleStride,
                        int numImgColors, int numFilterColors, int numGroups, float scaleTargets = 0,
                        float scaleOutput = 1);
void localWeightActsSparse(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, const int* dColorIndices,
                           int imgSizeY, int numModulesY, int numModulesX, int filterSize, int paddingStart,
                           int moduleStride, int numImgColors, int numFilterColors, int numGroups,
                           float scaleTargets = 0, float scaleOutput = 1);
